"""tests/gpu/suites.py, on a suite of this file's own: it counts what ran and sees what differs."""
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
CONFINED = "import os\n\ndef test_is_bare():\n    assert 'libration' not in os.environ['LD_PRELOAD']\n"
ENDED = "import os, signal\n\ndef test_ends():\n    os.kill(os.getpid(), signal.SIGKILL)\n"


class Suites(unittest.TestCase):
    def suites(self, *arguments, **files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                (pathlib.Path(folder) / f"test_{name}.py").write_text(text)
            return subprocess.run([sys.executable, "-B", SOURCE / "tests/gpu/suites.py", "--build", BUILD,
                                   "--jobs=2", *arguments, folder], capture_output=True, text=True, timeout=60)

    def test_equal_outcomes_are_counted(self):
        done = self.suites("--least=21", equal=EQUAL)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn('21 tests in 1 files, bare {"passed": 20, "failure": 1}, 0 differ', done.stdout)

    def test_too_few_tests_are_a_failure(self):
        self.assertEqual(self.suites("--least=22", equal=EQUAL).returncode, 1)

    def test_one_that_fails_confined_is_named(self):
        done = self.suites("--least=1", equal=EQUAL, confined=CONFINED)
        self.assertEqual(done.returncode, 1, done)
        self.assertRegex(done.stdout, r"differs +\S*test_confined::test_is_bare: bare \('passed'")
        self.assertIn("22 tests in 2 files", done.stdout)

    def test_a_sample_is_of_each_file(self):
        done = self.suites("--least=6", "--per-file=5", equal=EQUAL, ended="def test_one(): pass\n")
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("6 tests in 2 files", done.stdout)

    def test_an_interpreter_that_ends_is_an_outcome(self):
        done = self.suites("--least=1", ended=ENDED)
        self.assertIn('{"error": 1}', done.stdout)
        self.assertEqual(done.returncode, 0, done)

    def test_what_is_no_suite_is_said(self):
        done = subprocess.run([sys.executable, "-B", SOURCE / "tests/gpu/suites.py", "no_such_suite"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("neither a path nor a package", done.stderr)


unittest.main(argv=sys.argv[:1])
