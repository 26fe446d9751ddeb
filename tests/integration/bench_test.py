"""bench/run works on the release build and gives a figure for each budget. What the figures are is no
matter here: nothing in the tests depends on time.

Arguments: build folder, source folder.
"""

import json
import os
import pathlib
import subprocess
import sys
import unittest

BUILD, SOURCE = pathlib.Path(), pathlib.Path()
BUILD_LIMIT_S = 1200
BENCH_LIMIT_S = 240


def cache(name):
    for line in (BUILD / "CMakeCache.txt").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split("=", 1)[1]
    return ""


def run(*command, timeout, environment=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=SOURCE,
                          timeout=timeout, env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr}")
    return done.stdout


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.release = SOURCE / "build/release"
        include = cache("RATION_CUDA_INCLUDE")
        run("cmake", "--preset", "release", *([f"-DRATION_CUDA_INCLUDE={include}"] if include else []),
            timeout=BENCH_LIMIT_S)
        run("cmake", "--build", cls.release, timeout=BUILD_LIMIT_S)

    def bench(self, *options, **environment):
        return run(SOURCE / "bench/run", "--build", self.release, "--quick", *options,
                   timeout=BENCH_LIMIT_S, environment=environment)

    def test_there_is_a_figure_for_each_budget(self):
        rows = json.loads(self.bench("--json"))["rows"]
        self.assertEqual([row["budget"] for row in rows],
                         [1.6, 2, 2, 2, 2, 5, 10, 5, 40, 40, 150, 5] + ([10] if self.has_hip() else []))
        for row in rows:
            self.assertGreater(row["bare"], 0, row)
            self.assertGreater(row["ration"], 0, row)

    def has_hip(self):
        """Debian's ROCm is there, so its row is too."""
        return (self.release / "bench-bin/hip_stream").exists()

    def test_the_table_has_a_verdict_for_each(self):
        table = self.bench()
        for what in ("start-up", "linked driver call", "first GPU call,", "first GPU call behind",
                     "50 first calls", "first context", "memory of that context", "launch in a part",
                     "launch, blocking", "launch, per-thread", "cuMemAlloc", "ioctl that is not KFD's",
                     *["hipStreamCreate"][:self.has_hip()]):
            self.assertRegex(table, rf"(?m)^{what}.*: (pass|OVER|not measurable, too noisy)$")

    def test_one_row_by_itself(self):
        rows = json.loads(self.bench("--json", "--only", "ioctl"))["rows"]
        self.assertEqual([row["what"] for row in rows], ["ioctl that is not KFD's"])

    def test_on_the_driver_that_the_loader_finds(self):
        """Which is another copy of the simulated one here."""
        rows = json.loads(self.bench("--json", "--driver", "real",
                                     LD_LIBRARY_PATH=str(self.release / "sim")))["rows"]
        self.assertEqual([row["budget"] for row in rows], [5, 10, 1.01])
        self.assertIn("32 of 132 SMs", rows[0]["beside"])

    def test_says_which_rows_a_real_driver_has(self):
        done = subprocess.run([SOURCE / "bench/run", "--build", self.release, "--driver", "real", "--only",
                               "ioctl"], capture_output=True, text=True, timeout=BENCH_LIMIT_S)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("ioctl is not measured on a real driver", done.stderr)

    def test_says_what_is_missing(self):
        done = subprocess.run([SOURCE / "bench/run", "--build", SOURCE / "tests"], capture_output=True,
                              text=True, timeout=BENCH_LIMIT_S)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("has no benchmarks", done.stderr)


if __name__ == "__main__":
    BUILD, SOURCE = (pathlib.Path(argument) for argument in sys.argv[1:3])
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
