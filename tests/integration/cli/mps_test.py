"""ration mps: one daemon a user, found by the programs, and gone when it is told to go."""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import unittest

import support
from support import BUILD, PROGRAM, RATION


class Mps(support.Case):
    def setUp(self):
        super().setUp()
        self.pipe = f"{self.root}/run/u{os.geteuid()}/mps/pipe"
        for system in ((), ("--system",)):
            self.addCleanup(self.start, RATION, "mps", "stop", "--force", *system)

    def states(self):
        told = json.loads(self.start(RATION, "mps", "status", "--json").stdout)
        return {each["origin"]: each["state"] for each in told["daemons"]}

    def sms(self, **variables):
        printed = self.ration("run", "--share", "25%", "--", PROGRAM, variables=variables)
        return json.loads(printed)["sms"]

    def test_ensure_starts_one_that_programs_find(self):
        told = self.json("mps", "ensure")
        self.assertTrue(told["started"])
        self.assertEqual(told["pipe_directory"], self.pipe)
        self.assertEqual(os.stat(self.pipe).st_mode & 0o777, 0o700)
        self.assertEqual(self.sms(), 32)

    def test_ensure_again_changes_nothing(self):
        first = self.json("mps", "ensure")
        second = self.json("mps", "ensure")
        self.assertFalse(second["started"])
        self.assertEqual(second["pid"], first["pid"])

    def test_many_at_once_start_one(self):
        command = [RATION, "mps", "ensure", "--json"]
        starters = [
            subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE)
            for _ in range(12)
        ]
        told = [json.loads(each.communicate(timeout=support.LIMIT_S)[0]) for each in starters]
        self.assertEqual([each.returncode for each in starters], [0] * 12)
        self.assertEqual(sum(each["started"] for each in told), 1)
        self.assertEqual(len({each["pid"] for each in told}), 1)

    def test_start_fails_if_it_runs(self):
        self.ration("mps", "start")
        self.assertIn("already running", self.complaint("mps", "start", code=1))

    def test_killed_daemon_is_replaced(self):
        first = self.json("mps", "ensure")
        process = os.pidfd_open(first["pid"])
        os.kill(first["pid"], signal.SIGKILL)
        select.select([process], [], [])  # readable when it is gone
        os.close(process)
        self.assertEqual(self.states()["private"], "dead")
        second = self.json("mps", "ensure")
        self.assertTrue(second["started"])
        self.assertNotEqual(second["pid"], first["pid"])
        self.assertEqual(self.sms(), 32)

    def test_daemon_of_the_environment_is_reported(self):
        pipe = f"{self.root}/given"
        self.start(
            "nvidia-cuda-mps-control", "-d",
            variables={"CUDA_MPS_PIPE_DIRECTORY": pipe, "CUDA_MPS_LOG_DIRECTORY": f"{self.root}/l"},
        )
        given = {"CUDA_MPS_PIPE_DIRECTORY": pipe}
        told = self.json("mps", "ensure", variables=given)
        self.assertEqual(
            (told["started"], told["origin"], told["pipe_directory"]), (False, "environment", pipe)
        )
        self.start("nvidia-cuda-mps-control", variables=given, text="quit\n")

    def test_stop(self):
        self.assertRegex(self.complaint("mps", "stop", code=1), "no MPS daemon at .*ration mps status")
        self.json("mps", "ensure")
        self.assertTrue(self.json("mps", "stop")["stopped"])
        self.assertEqual(self.states()["private"], "absent")
        self.assertEqual(os.listdir(self.pipe), [])

    def test_status(self):
        self.assertIn("ration mps ensure", self.ration("mps", "status", code=1))
        self.json("mps", "ensure")
        daemon = self.json("mps", "status")["daemons"][0]
        self.assertTrue(daemon["used"])
        self.assertEqual((daemon["servers"], daemon["clients"]), ([], []))
        self.assertEqual(daemon["default_share"], "100.0")

    @unittest.skipIf(support.SANITIZED, "python3 is not built with ASan")
    def test_status_shows_clients(self):
        self.json("mps", "ensure")
        with subprocess.Popen(
            [RATION, "run", "--share", "25%", "--", "python3", "-c", HOLD],
            env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as process:
            self.assertEqual(process.stdout.readline(), b"0\n")
            clients = self.json("mps", "status")["daemons"][0]["clients"]
            self.assertEqual([client["pid"] for client in clients], [process.pid])
            self.assertIn(str(process.pid), self.ration("mps", "status"))
            process.stdin.close()

    def test_ceilings(self):
        gpus = {"SIM_CUDA_GPUS": "h100,h100"}
        self.ration(
            "mps", "ensure", "--default-share", "40%", "--default-memory", "3GiB", variables=gpus
        )
        daemon = self.json("mps", "status", variables=gpus)["daemons"][0]
        self.assertEqual(daemon["default_share"], "40.0")
        self.assertEqual(daemon["default_memory"], {"0": "3G", "1": "3G"})

    def test_impossible_ceilings(self):
        for option, value in (("--default-share", "140%"), ("--default-memory", "25%")):
            line = self.complaint("mps", "ensure", option, value, code=2)
            self.assertIn(option, line)
        self.assertEqual(self.states()["private"], "absent")

    def test_path_too_long_for_a_socket(self):
        line = self.complaint(
            "mps", "ensure", code=1,
            variables={"RATION_RUNTIME_DIR": f"{self.root}/" + "a" * 80},
        )
        self.assertIn("107 bytes", line)

    def test_usage(self):
        self.complaint("mps", code=2)
        self.complaint("mps", "begin", code=2)


class Unit(support.Case):
    def test_unit_of_the_system_daemon(self):
        """Its command lines are ration's, and systemd understands the rest."""
        text = (BUILD / "config/systemd/ration-mps.service").read_text()
        for command in re.findall(r"(?m)^Exec\w+=\S+/bin/ration (.*)$", text):
            words = command.replace(" $RATION_MPS_OPTIONS", "").split()
            self.start(RATION, *words, "--help").check_returncode()
        self.assertIn("ExecStart=", text)
        if shutil.which("systemd-analyze"):
            unit = self.write("ration-mps.service", re.sub(r"=\S+/bin/ration", f"={RATION}", text))
            done = self.start("systemd-analyze", "verify", "--man=no", unit)
            self.assertEqual((done.returncode, done.stderr), (0, ""))


# A program that holds a context until its standard input ends.
HOLD = """
import ctypes, sys
cuda = ctypes.CDLL("libcuda.so.1")
context = ctypes.c_void_p()
cuda.cuInit(0)
print(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0), flush=True)
sys.stdin.read()
"""


if __name__ == "__main__":
    support.main()
