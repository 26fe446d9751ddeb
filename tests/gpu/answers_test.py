"""What answers.py and whole.py make of programs: small ones that know by RATION_POLICY that they are confined.

usage: answers_test.py
"""
import contextlib
import io
import pathlib
import sys
import tempfile
import time
import unittest

import answers
from whole import Run

PROGRAM = "import json, os; confined = 'RATION_POLICY' in os.environ; print(json.dumps({}))"
EQUAL = '"a": 1, "b": [0.5, 2.0], "sms": 32 if confined else 132'


class Answers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ration-answers-")
        self.addCleanup(folder.cleanup)
        self.run_ = Run(pathlib.Path(folder.name), pathlib.Path(folder.name))

    def judged(self, text, code=0, **options):
        """The number of failures and what was printed."""
        command = [sys.executable, "-c", PROGRAM.format("{" + text + "}") + f"; raise SystemExit({code})"]
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            answers.as_bare(self.run_, "it", command, {"RATION_POLICY": "x"}, **options)
        return self.run_.failures, out.getvalue()

    def test_equal_answers_on_a_quarter(self):
        self.assertEqual(self.judged(EQUAL)[0], 0)
        self.assertEqual(self.judged(EQUAL, together=False)[0], 0)

    def test_fractions_agree_nearly(self):
        self.assertEqual(self.judged(EQUAL + ', "c": 100.1 if confined else 100.0')[0], 0)
        self.assertEqual(self.judged(EQUAL + ', "c": 101.0 if confined else 100.0')[0], 1)

    def test_small_fractions_agree_nearly(self):
        for one, other, near in ((1e-3, 1.001e-3, True), (0.0, 8e-6, True), (0.0, 1.9e-3, False),
                                 (1e-3, -9e-4, False), (0.5, 0.502, False)):
            self.assertEqual(answers.agree(one, other), near, (one, other))

    def test_another_answer(self):
        failures, said = self.judged(EQUAL + ', "c": confined')
        self.assertEqual(failures, 1)
        self.assertIn('{"c": [false, true]} (1 differ)', said)

    def test_another_length(self):
        self.assertEqual(self.judged(EQUAL + ', "c": [1.0] * (2 + confined)')[0], 1)

    def test_too_many_sms(self):
        self.assertEqual(self.judged('"a": 1, "sms": 40 if confined else 132')[0], 1)
        self.assertEqual(self.judged(EQUAL + ', "sms by kernel": 132')[0], 2)

    def test_a_bare_run_that_fails(self):
        self.assertEqual(self.judged(EQUAL, code=3)[0], 1)

    def test_what_could_not_be_asked(self):
        failures, said = self.judged(EQUAL + ', "skipped triton": "no compiler"')
        self.assertEqual(failures, 0)
        self.assertRegex(said, "skipped it: triton +no compiler")

    def test_another_share(self):
        self.assertEqual(self.judged('"a": 1, "sms": 64 if confined else 132', percent=50)[0], 0)

    def test_a_program_that_does_not_end(self):
        """Nor does what it started, which holds its output open."""
        start = time.monotonic()
        done, _, _ = self.run_.execute(["/bin/sh", "-c", "sleep 60 & sleep 60"], seconds=0.2)
        self.assertEqual(done.returncode, 124)
        self.assertLess(time.monotonic() - start, 30)
        self.assertIn("not done after", done.stderr)

    def test_the_last_line_counts(self):
        text = "echo '{\"a\": 1}'; echo '{\"a\": 2}'; echo ration: no >&2"
        _, result, said = self.run_.execute(["/bin/sh", "-c", text])
        self.assertEqual((result, said), ({"a": 2}, ["ration: no"]))


if __name__ == "__main__":
    unittest.main()
