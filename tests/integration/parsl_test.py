"""A real Parsl HighThroughputExecutor: five workers, five shares, unchanged app functions.

Runs on the simulated driver. Arguments: build folder, source folder.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import parsl
import psutil
from parsl import python_app

BUILD, SOURCE = pathlib.Path(), pathlib.Path()
TASK_LIMIT_S = 90
# Slot by slot: device and SMs of 132 (config/parsl/paper.toml: 50, 25, 30, 40, 40 %).
PAPER = [(1, 66), (2, 32), (4, 38), (0, 52), (0, 52)]


@python_app
def gpu_report(meeting, workers):
    """What a user's app does: it calls the driver. Waits until all workers have a task, so that no
    worker can take two."""
    import os
    import pathlib
    import time

    import by_ctypes

    report = by_ctypes.report()
    meeting = pathlib.Path(meeting)
    (meeting / os.environ["PARSL_WORKER_RANK"]).touch()
    deadline = time.monotonic() + 80
    while len(list(meeting.iterdir())) < workers:
        if time.monotonic() > deadline:
            raise TimeoutError("the other workers did not come")
        time.sleep(0.01)
    report["rank"] = int(os.environ["PARSL_WORKER_RANK"])
    report["visible"] = os.environ.get("CUDA_VISIBLE_DEVICES")
    report["manager"] = os.getppid()
    report["manager_maps"] = pathlib.Path(f"/proc/{os.getppid()}/maps").read_text()
    return report


def processes(pids):
    """Those that still exist."""
    found = []
    for pid in pids:
        try:
            found.append(psutil.Process(pid))
        except psutil.NoSuchProcess:
            pass
    return found


class Parsl(unittest.TestCase):
    def setUp(self):
        # /tmp: the path of an MPS socket may not be longer than 108 bytes.
        self.folder = tempfile.TemporaryDirectory(prefix="ration-parsl.", dir="/tmp")
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)
        self.environment = {
            "PATH": f"{BUILD}/sim/bin:{pathlib.Path(sys.executable).parent}:/usr/bin:/bin",
            "LD_LIBRARY_PATH": f"{BUILD}/sim",
            "PYTHONPATH": f"{SOURCE}/tests/apps",
            "SIM_CUDA_GPUS": ",".join(["h100"] * 5),
            "RATION_RUNTIME_DIR": f"{self.root}/run",
        }
        self.ration("mps", "ensure")
        self.addCleanup(self.ration, "mps", "stop")
        bare = self.uuids()
        self.assertEqual(len(set(bare)), 5)
        self.device_uuids = bare

    def ration(self, *arguments):
        command = [str(BUILD / "ration"), *arguments]
        environment = {"HOME": str(self.root), **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def uuids(self):
        """UUID of each device, by index, as a program without ration sees them."""
        program = BUILD / "apps/dlopened"
        found = []
        for index in range(5):
            environment = {**self.environment, "CUDA_VISIBLE_DEVICES": str(index)}
            out = subprocess.run([program], env=environment, capture_output=True, check=True).stdout
            found.append(json.loads(out)["uuid"])
        return found

    def site_lines(self):
        return "\n".join(f"export {name}='{value}'" for name, value in self.environment.items())

    def run_workers(self, init):
        from executor import config

        meeting = self.root / "meeting"
        meeting.mkdir()
        with parsl.load(config(init, run_dir=str(self.root / "runinfo"))):
            futures = [gpu_report(str(meeting), 5) for _ in range(5)]
            reports = [future.result(timeout=TASK_LIMIT_S) for future in futures]
        started = {report[key] for report in reports for key in ("pid", "manager")}
        _, alive = psutil.wait_procs(processes(started), timeout=10)
        self.assertEqual(alive, [], "processes left running")
        return sorted(reports, key=lambda report: report["rank"])

    def check(self, reports):
        self.assertEqual([report["rank"] for report in reports], [0, 1, 2, 3, 4])
        expected = [(self.device_uuids[device], sms) for device, sms in PAPER]
        self.assertEqual([(report["uuid"], report["sms"]) for report in reports], expected)
        self.assertEqual({report["devices"] for report in reports}, {1})
        # The manager is preloaded too, and nothing more than that.
        maps = reports[0]["manager_maps"]
        self.assertIn("/libration.so", maps)
        self.assertNotIn("/libration-engine.so", maps)
        self.assertNotIn("/libcuda.so", maps)
        records = json.loads(self.ration("ps", "--recent", "--json"))["records"]
        self.assertEqual(
            {record["pid"] for record in records}, {report["pid"] for report in reports}
        )
        self.assertEqual({record["state"] for record in records}, {"granted"})

    def test_export_last(self):
        from executor import worker_init

        policy = SOURCE / "config/parsl/paper.toml"
        self.check(self.run_workers(worker_init(BUILD / "libration.so", policy, self.site_lines())))

    def test_ration_env(self):
        exports = self.ration("env", "--policy", str(SOURCE / "config/parsl/paper.toml"))
        self.check(self.run_workers(self.site_lines() + "\n" + exports))


if __name__ == "__main__":
    BUILD, SOURCE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    sys.path.insert(0, str(SOURCE / "config/parsl"))
    # Parsl starts its own programs by name.
    os.environ["PATH"] = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    unittest.main(argv=sys.argv[:1])
