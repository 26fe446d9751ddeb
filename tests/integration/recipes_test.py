"""The recipes of config/, as far as a machine without a GPU, a scheduler or a container engine can
exercise them. Arguments: build folder, source folder."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from support import missing_namespaces

BUILD, SOURCE = pathlib.Path(), pathlib.Path()
QUARTER = 32  # 25 % of 132 SMs
STEP_S = 20  # most that one command may take


def processes_with(word):
    """The processes that have a word in their environment, and in which kernel function each waits."""
    lines = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (folder / "environ").read_bytes():
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                _, _, rest = (folder / "stat").read_text().rpartition(") ")
                state, parent = rest.split()[:2]
                wait = (folder / "wchan").read_text()
                lines.append(f"{folder.name}, child of {parent}, {state} in {wait}: {command}")
        except OSError:
            pass  # it has ended, or is somebody else's
    return "\n".join(lines)


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

    def run_to_end(self, command, environment):
        """A finished process. One that takes too long fails the test, and says what it waited for."""
        process = subprocess.Popen(
            list(map(str, command)),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=STEP_S)
        except subprocess.TimeoutExpired:
            tree = processes_with(str(self.root))
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate(timeout=STEP_S)
            self.fail(f"{command} took more than {STEP_S} s: {out}{err}\n{tree}")
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def execute(self, command, environment):
        done = self.run_to_end(command, environment)
        self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def start_daemon(self):
        environment = {**self.driver, "RATION_RUNTIME_DIR": str(self.runtime), "HOME": "/"}
        self.execute([BUILD / "ration", "mps", "ensure"], environment)
        stop = [BUILD / "ration", "mps", "stop", "--timeout", "5"]
        self.addCleanup(self.execute, stop, environment)

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
    def setUp(self):
        super().setUp()
        self.command = BUILD / "ration"
        self.jobs = self.root / "policy.d"

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

    def prolog(self, partition="quarter", code=0):
        """Slurm's prolog, as root; returns the names of the jobs' files."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "SLURM_JOB_ID": "4711",
            "SLURM_JOB_PARTITION": partition,
            "RATION_COMMAND": str(self.command),
            "RATION_JOB_POLICIES": str(self.jobs),
            "RATION_SITE_POLICIES": str(self.site),
        }
        # A site's policies belong to root.
        root = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
        done = self.run_to_end([*root, "bash", BUILD / "config/slurm/prolog.sh"], environment)
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        return sorted(path.name for path in self.jobs.iterdir()) if self.jobs.exists() else []

    def test_prolog_and_epilog(self):
        self.assertEqual(self.prolog(), ["job-4711.toml"])
        written = self.jobs / "job-4711.toml"
        self.assertIn('cgroup = "*/job_4711/*"', written.read_text())
        self.assertIn('use = "partition.quarter"', written.read_text())
        self.assertEqual(written.stat().st_mode & 0o777, 0o644)
        environment = {
            "PATH": "/usr/bin:/bin",
            "SLURM_JOB_ID": "4711",
            "RATION_JOB_POLICIES": str(self.jobs),
        }
        self.execute(["bash", SOURCE / "config/slurm/epilog.sh"], environment)
        self.assertEqual(list(self.jobs.iterdir()), [])

    def test_prolog_finds_partitions_as_ration_does(self):
        """However TOML lets them be written, and in policy.d as well."""
        share = 'share = "25%"'
        for table in (
            f"[ partition.quarter ]  # c\n{share}",
            f'[partition."quarter"]\n{share}',
            f"[partition]\nquarter.{share}",
        ):
            with self.subTest(table=table):
                shutil.rmtree(self.jobs, ignore_errors=True)
                text = f'schema = 1\ndefaults.no_match = "ignore"\n{table}\n'
                (self.site / "policy.toml").write_text(text)
                self.assertEqual(self.prolog(), ["job-4711.toml"])
        shutil.rmtree(self.jobs)
        (self.site / "policy.d").mkdir()
        (self.site / "policy.toml").rename(self.site / "policy.d/50-gpu.toml")
        self.assertEqual(self.prolog(), ["job-4711.toml"])

    def test_prolog_ignores_unknown_partitions(self):
        for name in ("cpu", "quarte", 'a"b', "quarter.share"):
            self.assertEqual(self.prolog(name), [], name)
        (self.site / "policy.toml").unlink()
        self.assertEqual(self.prolog(), [])

    def test_prolog_fails_rather_than_leave_a_job_unconfined(self):
        self.command = "/nowhere/ration"
        self.assertEqual(self.prolog(code=127), [])
        self.command = BUILD / "ration"
        (self.site / "policy.toml").write_text('schema = 1\n[partition.quarter]\nshare = "140%"\n')
        self.assertEqual(self.prolog(code=2), [])


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
        why = missing_namespaces()
        if why:
            self.skipTest(why)
        self.start_daemon()
        options = ["--die-with-parent", "--unshare-pid", "--ro-bind", "/usr", "/usr", "--dev", "/dev", "--proc", "/proc"]
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
        return self.execute(["bwrap", *options, *command], environment)

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
        done = self.run_to_end(
            ["bash", script, "podman"],
            {"PATH": "/usr/bin:/bin", "RATION_LIBRARY": "/nowhere/libration.so"},
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
    unittest.main(argv=sys.argv[:1], verbosity=2)
