"""tests/gpu/suites.py, on a suite of this file's own: it counts what ran and sees what differs."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BUILD, SOURCE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])

EQUAL = """
import os
import pytest

@pytest.mark.parametrize("i", range(20))
def test_numbers(i):
    assert i != 7

def test_something_is_preloaded():
    assert "LD_PRELOAD" in os.environ
"""
GPU = """
import ctypes

def test_has_a_context():
    cuda = ctypes.CDLL("libcuda.so.1")
    assert cuda.cuInit(0) == 0
    assert cuda.cuDevicePrimaryCtxRetain(ctypes.byref(ctypes.c_void_p()), 0) == 0
"""
SKIPPED = "import pytest\n\ndef test_skips():\n    pytest.skip('nothing here')\n"
CONFINED = "import os\n\ndef test_is_bare():\n    assert 'libration' not in os.environ['LD_PRELOAD']\n"
ENDED = "import os, signal\n\ndef test_ends():\n    os.kill(os.getpid(), signal.SIGKILL)\n"


class Suites(unittest.TestCase):
    def suites(self, *arguments, **files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                (pathlib.Path(folder) / f"test_{name}.py").write_text(text)
            return subprocess.run([sys.executable, "-B", SOURCE / "tests/gpu/suites.py", "--build", BUILD,
                                   "--jobs=2", *arguments, folder], capture_output=True, text=True, timeout=60,
                                  env=dict(os.environ, LD_LIBRARY_PATH=str(BUILD / "sim")))

    def test_equal_outcomes_are_counted(self):
        done = self.suites("--least=21", equal=EQUAL, gpu=GPU)
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stdout, r'22 tests in 2 files, bare {"passed": 21, "failure": 1}, 0 differ.*; '
                                      r"processes granted a share: 1")

    def test_too_few_that_pass_are_a_failure(self):
        self.assertEqual(self.suites("--least=22", equal=EQUAL, gpu=GPU, skipped=SKIPPED).returncode, 1)

    def test_a_suite_that_nobody_confined_is_a_failure(self):
        done = self.suites("--least=20", equal=EQUAL)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("processes granted a share: 0", done.stdout)

    def test_a_folder_without_the_library_is_refused(self):
        done = self.suites("--build=/", gpu=GPU)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("has no libration.so", done.stderr)

    def test_one_that_fails_confined_is_named(self):
        done = self.suites("--least=1", equal=EQUAL, confined=CONFINED)
        self.assertEqual(done.returncode, 1, done)
        self.assertRegex(done.stdout, r"differs +\S*test_confined::test_is_bare: bare \('passed'")
        self.assertIn("22 tests in 2 files", done.stdout)

    def test_a_sample_is_of_each_file(self):
        done = self.suites("--least=6", "--per-file=5", equal=EQUAL, gpu=GPU)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("6 tests in 2 files", done.stdout)

    def test_an_interpreter_that_ends_is_an_outcome(self):
        done = self.suites("--least=1", ended=ENDED, gpu=GPU)
        self.assertIn('{"error": 1}', done.stdout)
        self.assertEqual(done.returncode, 0, done)

    def test_what_is_no_suite_is_said(self):
        done = subprocess.run([sys.executable, "-B", SOURCE / "tests/gpu/suites.py", "--build", BUILD, "no_such_suite"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("neither a path nor a package", done.stderr)


unittest.main(argv=sys.argv[:1])
