"""ration ps: live and ended records, and why a program was refused."""

import os
import shutil
import signal
import subprocess
import threading
import unittest

import support
from support import PROGRAM, RATION

FIELDS = {
    "pid", "live", "state", "uid", "user", "command", "started", "start_ticks", "rule", "partition",
    "mechanism", "devices", "asked", "granted", "memory_quota", "memory_counted", "concurrent", "why",
}


class Ps(support.Case):
    def test_nothing(self):
        self.assertIn(f"{self.root}/run", self.ration("ps", code=1))
        self.assertEqual(self.json("ps", code=1)["records"], [])

    def test_ended(self):
        self.daemon()
        self.ration("run", "--share", "25%", "--memory", "2GiB", "--", PROGRAM)
        self.assertEqual(self.json("ps", code=1)["records"], [])
        records = self.json("ps", "--recent")["records"]
        self.assertEqual(len(records), 1)
        self.assertEqual(set(records[0]), FIELDS)
        self.assertFalse(records[0]["live"])
        self.assertEqual(records[0]["state"], "granted")
        self.assertEqual(records[0]["granted"], "32 of 132 SMs (24.2 %)")
        self.assertEqual(records[0]["memory_quota"], 2 << 30)
        self.assertEqual(len(records[0]["devices"]), 1)
        table = self.ration("ps", "-a")
        self.assertIn("granted, ended", table)
        self.assertIn("2 GiB", table)

    def test_refused_is_visible_with_its_reason(self):
        done = self.start(RATION, "run", "--share", "25%", "--", PROGRAM)
        self.assertNotEqual(done.returncode, 0)
        record = self.json("ps", "--recent")["records"][0]
        self.assertEqual(record["state"], "refused")
        self.assertIn("ration mps ensure", record["why"])
        self.assertIn("ration mps ensure", self.ration("ps", "--recent"))

    @unittest.skipIf(os.geteuid() != 0, "needs root, to make a record of another user")
    def test_mine(self):
        self.start(RATION, "run", "--share", "25%", "--", PROGRAM)  # refused, with a record
        mine, theirs = self.root / "run/u0", self.root / "run/u65534"
        theirs.mkdir()
        shutil.copy(mine / "records-1", theirs)
        for path in (theirs, theirs / "records-1"):
            os.chown(path, 65534, 65534)
        users = lambda *options: [each["uid"] for each in self.json("ps", "--recent", *options)["records"]]
        self.assertEqual(sorted(users()), [0, 65534])
        self.assertEqual(users("--mine"), [0])

    def test_watch_shows_what_came_meanwhile(self):
        with subprocess.Popen([RATION, "ps", "--recent", "--watch", "0.1"], env=self.environment,
                              stdout=subprocess.PIPE, text=True) as process:
            watchdog = threading.Timer(support.LIMIT_S, process.kill)
            watchdog.start()
            self.addCleanup(watchdog.cancel)
            self.assertIn(f"{self.root}/run", process.stdout.readline())
            self.assertIn("no GPU process", process.stdout.readline())
            self.start(RATION, "run", "--share", "25%", "--", PROGRAM)  # refused, with a record
            seen = ""
            for line in process.stdout:
                seen += line
                if "refused" in line:
                    break
            self.assertIn("refused", seen)
            self.assertNotIn("\033", seen)  # only a terminal is cleared
            process.send_signal(signal.SIGINT)
        self.assertEqual(process.returncode, -signal.SIGINT)

    @unittest.skipIf(support.SANITIZED, "python3 is not built with ASan")
    def test_live(self):
        self.daemon()
        with subprocess.Popen(
            [RATION, "run", "--share", "25%", "--", "python3", "-c", HOLD],
            env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as process:
            self.assertEqual(process.stdout.readline(), b"0\n")
            record = self.json("ps", "--mine")["records"][0]
            self.assertEqual(record["pid"], process.pid)
            self.assertTrue(record["live"])
            told = self.json("explain", "--pid", process.pid)
            self.assertEqual([each["pid"] for each in told["records"]], [process.pid])
            self.assertFalse(told["grant"]["predicted"])
            process.stdin.close()
        self.assertEqual(self.json("ps", code=1)["records"], [])


# A program that holds a GPU until its standard input ends.
HOLD = """
import ctypes, sys
cuda = ctypes.CDLL("libcuda.so.1")
print(cuda.cuInit(0), flush=True)
sys.stdin.read()
"""


if __name__ == "__main__":
    support.main()
