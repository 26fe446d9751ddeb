"""tools/quickstart on what is built here: its table is the README's, and a wrong grant is noticed.

Arguments: build folder, source folder; --update writes the table into the README.
"""

import copy
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD, SOURCE = pathlib.Path(), pathlib.Path()
SHOWN = re.compile(r"(<!-- tools/quickstart --simulated -->\n```text\n)(.*?)(```\n)", re.DOTALL)


def quickstart(*arguments, where=("--simulated",), **variables):
    command = [SOURCE / "tools/quickstart", *where, "--build", BUILD, *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


class Quickstart(unittest.TestCase):
    def test_the_readme_shows_what_it_prints(self):
        done = quickstart()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(SHOWN.search((SOURCE / "README.md").read_text()).group(2), done.stdout)

    def test_the_environment_does_not_colour_it(self):
        done = quickstart(
            "--json",
            RATION_DISABLE="1",
            RATION_SHARE="50%",
            CUDA_MPS_ACTIVE_THREAD_PERCENTAGE="10",
            LD_PRELOAD="/nowhere.so",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        runs = json.loads(done.stdout)["runs"]
        self.assertEqual([run["sms"] for run in runs.values()], [132, 32, 32])

    def test_a_wrong_grant_is_a_problem(self):
        sys.path.insert(0, str(SOURCE / "tools"))
        import quickstart_report

        runs = json.loads(quickstart("--json").stdout)["runs"]
        self.assertEqual(quickstart_report.problems(runs), [])
        for name, change in {
            "run": lambda run: run.update(sms=132),
            "preload": lambda run: run.update(memory_free=3 << 30),
            "bare": lambda run: run.pop("sms"),
        }.items():
            wrong = copy.deepcopy(runs)
            change(wrong[name])
            self.assertNotEqual(quickstart_report.problems(wrong), [], name)
        wrong = copy.deepcopy(runs)
        wrong["run"]["record"] = None
        self.assertNotEqual(quickstart_report.problems(wrong), [])
        wrong = copy.deepcopy(runs)
        wrong["run"]["record"]["granted"] = "132 of 132 SMs (100 %)"
        self.assertNotEqual(quickstart_report.problems(wrong), [])

    def test_a_program_that_fails_is_a_problem(self):
        done = quickstart(SIM_CUDA_FAIL="cuCtxSetCurrent=999")
        self.assertEqual(done.returncode, 1, done.stdout)

    def test_takes_the_gpu_where_there_is_one(self):
        """A driver that is not of our build is taken for the machine's own."""
        with tempfile.TemporaryDirectory() as folder:
            driver = shutil.copytree(BUILD / "sim", f"{folder}/driver", symlinks=True)
            variables = {"LD_LIBRARY_PATH": driver, "SIM_CUDA_GPUS": "a100"}
            without_daemon = quickstart("--json", where=(), **variables)
            self.assertIn("no nvidia-cuda-mps-control", without_daemon.stderr)
            self.assertEqual(json.loads(without_daemon.stdout)["driver"], "simulated")
            done = quickstart(
                "--json", where=(), PATH=f"{driver}/bin:{os.environ['PATH']}", **variables
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            result = json.loads(done.stdout)
            self.assertEqual(result["driver"], "gpu")
            self.assertIn("A100", result["runs"]["bare"]["name"])

    def refusal(self, *lines):
        """What tools/setup.sh says when these lines of bash come to nothing."""
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "tests").mkdir()
            shutil.copy(SOURCE / "tests/requirements.txt", f"{folder}/tests")
            start = ["set -euo pipefail", f"me=test top={SOURCE}", f". {SOURCE}/tools/setup.sh"]
            done = subprocess.run(
                ["bash", "-c", "\n".join([*start, *lines])],
                env={"PATH": os.environ["PATH"], "EMPTY": folder},
                capture_output=True,
                text=True,
                timeout=60,
            )
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertEqual(os.listdir(folder), ["tests"])
            return done.stderr

    def test_refuses_without_packages(self):
        """--no-install on a machine that lacks packages names them and the command."""
        said = self.refusal("dpkg-query() { return 1; }", "ensure_packages 0 build")
        self.assertRegex(said, "missing: .*libtomlplusplus-dev.*apt-get install")

    def test_refuses_to_fetch(self):
        """--no-install fetches nothing from elsewhere either."""
        said = self.refusal("cmake() { return 1; }", "top=$EMPTY", "ensure_cuda_headers 0")
        self.assertIn("set RATION_CUDA_INCLUDE", said)
        said = self.refusal("top=$EMPTY", "ensure_python_tools 0")
        self.assertIn("tests/requirements.txt", said)

    def test_the_commands_pass_no_install_on(self):
        for name in ("quickstart", "test"):
            text = (SOURCE / "tools" / name).read_text()
            calls = re.findall(r"(?m)^ *(ensure_\w+)(.*)$", text)
            self.assertGreaterEqual(len(calls), 2)
            for function, arguments in calls:
                self.assertRegex(arguments, r'^ "\$install"', f"tools/{name}: {function}")


def update():
    path = SOURCE / "README.md"
    table = quickstart().stdout
    path.write_text(SHOWN.sub(lambda match: match[1] + table + match[3], path.read_text()))


if __name__ == "__main__":
    BUILD, SOURCE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    if "--update" in sys.argv:
        update()
    else:
        unittest.main(argv=sys.argv[:1])
