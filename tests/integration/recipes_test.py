"""The recipes of config/, as far as a machine without a GPU, a scheduler or a container engine can
exercise them. Arguments: build folder, source folder."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import require_namespaces

BUILD, SOURCE = pathlib.Path(), pathlib.Path()
QUARTER = 32  # 25 % of 132 SMs


class Recipe(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ration-recipes.", dir="/tmp")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.driver = {
            "PATH": f"{BUILD}/sim/bin:/usr/bin:/bin",
            "LD_LIBRARY_PATH": f"{BUILD}/sim",
            "SIM_CUDA_GPUS": "h100",
        }
        self.runtime = self.root / "run"
        self.runtime.mkdir()
        self.site = self.root / "etc"
        self.site.mkdir()
        shutil.copy(SOURCE / "config/examples/quarter.toml", self.site / "policy.toml")

    def execute(self, command, environment, **options):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, **options
        )
        self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def start_daemon(self):
        environment = {**self.driver, "RATION_RUNTIME_DIR": str(self.runtime), "HOME": "/"}
        self.execute([BUILD / "ration", "mps", "ensure"], environment)
        self.addCleanup(self.execute, [BUILD / "ration", "mps", "stop"], environment)

    def confined(self, variables):
        """Runs a program with these variables; returns the SMs that it saw."""
        self.start_daemon()
        environment = {**self.driver, "RATION_RUNTIME_DIR": str(self.runtime), **variables}
        return json.loads(self.execute([BUILD / "apps/dlopened"], environment))["sms"]

    def here(self, text):
        """A recipe's text with the library of this build and this test's policy."""
        text = re.sub(r"/\S*/libration\.so", str(BUILD / "libration.so"), text)
        return text.replace("/etc/ration/", f"{self.site}/")


class Slurm(Recipe):
    job = {"SLURM_JOB_ID": "4711", "SLURM_JOB_PARTITION": "quarter", "PATH": "/usr/bin:/bin"}

    def task_prolog(self, **variables):
        environment = {
            "PATH": "/usr/bin:/bin",
            "RATION_LIBRARY": str(BUILD / "libration.so"),
            **variables,
        }
        return self.execute(["bash", BUILD / "config/slurm/task_prolog.sh"], environment)

    def exports(self, text):
        """What slurmd does with a task prolog's output."""
        found = {}
        for line in text.splitlines():
            name, value = re.fullmatch(r"export (\w+)=(.*)", line).groups()
            found[name] = value
        return found

    def test_task_prolog_confines(self):
        variables = self.exports(self.task_prolog(SLURM_JOB_GPUS="0"))
        policy = {"RATION_POLICY": str(self.site / "policy.toml")}
        self.assertEqual(self.confined({**variables, **policy}), QUARTER)

    def test_task_prolog_keeps_other_preloads(self):
        text = self.task_prolog(SLURM_JOB_GPUS="0", LD_PRELOAD="/lib/other.so")
        self.assertEqual(text, f"export LD_PRELOAD={BUILD}/libration.so:/lib/other.so\n")
        again = self.exports(text)["LD_PRELOAD"]
        self.assertEqual(self.task_prolog(SLURM_JOB_GPUS="0", LD_PRELOAD=again), "")

    def test_task_prolog_leaves_the_rest_alone(self):
        self.assertEqual(self.task_prolog(), "")
        self.assertEqual(self.task_prolog(SLURM_JOB_GPUS="0", RATION_LIBRARY="/nowhere.so"), "")

    def test_prolog_and_epilog(self):
        folder = self.root / "policy.d"
        environment = {
            **self.job,
            "RATION_JOB_POLICIES": str(folder),
            "RATION_SITE_POLICY": str(self.site / "policy.toml"),
        }
        self.execute(["bash", SOURCE / "config/slurm/prolog.sh"], environment)
        self.assertEqual([path.name for path in folder.iterdir()], ["job-4711.toml"])
        written = folder / "job-4711.toml"
        self.assertIn('cgroup = "*/job_4711/*"', written.read_text())
        self.assertEqual(written.stat().st_mode & 0o777, 0o644)
        check = [BUILD / "ration", "check", "--site", self.site / "policy.toml", written]
        self.execute(check, self.driver)
        self.execute(["bash", SOURCE / "config/slurm/epilog.sh"], environment)
        self.assertEqual(list(folder.iterdir()), [])

    def test_prolog_ignores_unknown_partitions(self):
        folder = self.root / "policy.d"
        environment = {
            **self.job,
            "SLURM_JOB_PARTITION": "cpu",
            "RATION_JOB_POLICIES": str(folder),
            "RATION_SITE_POLICY": str(self.site / "policy.toml"),
        }
        self.execute(["bash", SOURCE / "config/slurm/prolog.sh"], environment)
        self.assertFalse(folder.exists())


class Container(Recipe):
    def options(self, engine):
        preload = self.root / "ld.so.preload"
        preload.write_text(self.here((BUILD / "config/container/ld.so.preload").read_text()))
        environment = {
            "PATH": "/usr/bin:/bin",
            "RATION_LIBRARY": str(BUILD / "libration.so"),
            "RATION_LD_SO_PRELOAD": str(preload),
            "RATION_SITE_POLICIES": str(self.site),
            "RATION_RUNTIME_DIR": str(self.runtime),
        }
        script = BUILD / "config/container/ration-container"
        return self.execute(["bash", script, engine], environment).split()

    def inside(self, mounts, command):
        """Runs a command in a root of its own with the mounts SOURCE:TARGET[:ro]."""
        self.start_daemon()
        options = ["--ro-bind", "/usr", "/usr", "--dev", "/dev", "--proc", "/proc"]
        for name in ("lib", "lib64", "bin"):
            options += ["--symlink", f"usr/{name}", f"/{name}"]
        if os.geteuid() != 0:  # a site policy belongs to root
            options += ["--unshare-user", "--uid", "0", "--gid", "0"]
        options += ["--bind", BUILD, BUILD]
        # The daemon's private directory lies in the runtime directory: at its own path, too.
        options += ["--bind", self.runtime, self.runtime]
        for mount in mounts:
            source, target, *_ = mount.split(":")
            options += ["--bind", source, target]
        environment = {**self.driver, "RATION_RUNTIME_DIR": str(self.runtime)}
        return self.execute(["bwrap", *map(str, options), *map(str, command)], environment)

    def test_podman_and_docker(self):
        options = self.options("podman")
        self.assertEqual(options, self.options("docker"))
        self.assertIn("--ipc=host", options)
        mounts = [o.removeprefix("--volume=") for o in options if o.startswith("--volume=")]
        # `env -i` loses every variable but those that stand for the driver's installation: what is
        # left to confine the program is /etc/ld.so.preload and /etc/ration.
        driver = [f"{name}={value}" for name, value in self.driver.items()]
        driver.append(f"RATION_RUNTIME_DIR={self.runtime}")
        command = ["env", "-i", *driver, BUILD / "apps/dlopened"]
        self.assertEqual(json.loads(self.inside(mounts, command))["sms"], QUARTER)

    def test_apptainer(self):
        options = self.options("apptainer")
        mounts = [o.removeprefix("--bind=") for o in options if o.startswith("--bind=")]
        variables = [o.removeprefix("--env=") for o in options if o.startswith("--env=")]
        command = ["env", *variables, BUILD / "apps/dlopened"]
        self.assertEqual(json.loads(self.inside(mounts, command))["sms"], QUARTER)

    def test_refusal_stops_the_engine(self):
        """A shell ignores that $(ration-container) failed, so the engine must get what it refuses."""
        script = BUILD / "config/container/ration-container"
        done = subprocess.run(
            ["bash", script, "podman"],
            env={"PATH": "/usr/bin:/bin", "RATION_LIBRARY": "/nowhere/libration.so"},
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nowhere/libration.so is missing", done.stderr)
        self.assertEqual(done.stdout, "--ration-container-refused\n")


class Services(Recipe):
    def test_systemd(self):
        text = (BUILD / "config/systemd/ration-share.conf").read_text()
        variables = dict(re.findall(r"(?m)^Environment=(\w+)=(.*)$", self.here(text)))
        self.assertEqual(set(variables), {"LD_PRELOAD", "RATION_POLICY"})
        self.assertEqual(self.confined(variables), QUARTER)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze here")
    def test_systemd_syntax(self):
        unit = self.root / "inference.service"
        unit.write_text("[Service]\nExecStart=/bin/true\n")
        drop_ins = self.root / "inference.service.d"
        drop_ins.mkdir()
        shutil.copy(BUILD / "config/systemd/ration-share.conf", drop_ins)
        self.execute(["systemd-analyze", "verify", unit], dict(os.environ))

    def test_globus_compute(self):
        text = (BUILD / "config/globus-compute/user_environment.yaml").read_text()
        variables = dict(re.findall(r"(?m)^(\w+): (.*)$", self.here(text)))
        self.assertEqual(set(variables), {"LD_PRELOAD", "RATION_POLICY"})
        self.assertEqual(self.confined(variables), QUARTER)


if __name__ == "__main__":
    BUILD, SOURCE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    require_namespaces()
    unittest.main(argv=sys.argv[:1])
