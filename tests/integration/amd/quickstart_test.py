"""tools/quickstart --amd on what is built here: its tables are the README's, and a wrong mask is noticed.

Arguments: build folder, source folder; --update writes the tables into the README.
"""

import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

BUILD, SOURCE = pathlib.Path(), pathlib.Path()
SHOWN = re.compile(r"(<!-- tools/quickstart --amd -->\n```text\n)(.*?)(```\n)", re.DOTALL)
HARDWARE = "simulated kernel driver, no AMD hardware"


def quickstart(*arguments, **variables):
    command = [SOURCE / "tools/quickstart", "--amd", "--build", BUILD, *arguments]
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True,
                          timeout=60)


def a_masked_queue(run):
    return max(run["queues"], key=lambda queue: queue["cus"] or 0)


class Quickstart(unittest.TestCase):
    def test_the_readme_shows_what_it_prints(self):
        done = quickstart()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(SHOWN.search((SOURCE / "README.md").read_text()).group(2), done.stdout)

    def test_says_that_there_is_no_hardware(self):
        self.assertIn(HARDWARE, quickstart().stdout.splitlines()[0])
        self.assertEqual(json.loads(quickstart("--json").stdout)["driver"], HARDWARE)

    def test_the_environment_does_not_colour_it(self):
        done = quickstart("--json", RATION_DISABLE="1", SIM_KFD_GPUS="navi21", HSA_CU_MASK="0:0-3",
                          ROCR_VISIBLE_DEVICES="5", LD_PRELOAD="/nowhere.so")
        self.assertEqual(done.returncode, 0, done.stderr)
        runs = json.loads(done.stdout)["runs"]
        self.assertEqual([run["device"]["multiprocessors"] for run in runs.values()], [104, 24, 24])

    def test_what_is_wrong_is_a_problem(self):
        sys.path.insert(0, str(SOURCE / "tools"))
        import quickstart_amd

        runs = json.loads(quickstart("--json").stdout)["runs"]
        self.assertEqual(quickstart_amd.problems(runs), [])
        for what, change in {
            "unmasked": lambda run: run["queues"][0].update(mask=None, cus=None),
            "hangs": lambda run: run["queues"][0].update(hangs=True),
            "too many CUs": lambda run: a_masked_queue(run).update(cus=32, mask="0xffffffff"),
            "beyond the others": lambda run: run["queues"][-1].update(mask="0xff000000", cus=8),
            "lopsided": lambda run: [queue.update(engines=[[15, 2] + [7] * 6])
                                     for queue in run["queues"]],
            "no queues": lambda run: run.update(queues=[]),
            "a queue more": lambda run: run["queues"].append(run["queues"][0]),
            "told otherwise": lambda run: run["device"].update(multiprocessors=104),
            "a call failed": lambda run: run.update(failed=[{"call": "hipStreamCreate"}]),
            "no record": lambda run: run.update(record=None),
            "refused": lambda run: run["record"].update(state="refused"),
        }.items():
            wrong = copy.deepcopy(runs)
            change(wrong["run"])
            self.assertNotEqual(quickstart_amd.problems(wrong), [], what)

    def test_a_wrong_run_fails(self):
        """A folder as the runs leave it, in which a queue has lost its mask."""
        sys.path.insert(0, str(SOURCE / "tools"))
        import quickstart_amd

        events = [{"event": "create_queue", "queue": 3, "type": "aql", "priority": 7, "bytes": 4096},
                  {"event": "create_queue", "queue": 4, "type": "sdma", "priority": 7, "bytes": 4096}]
        (queue,) = quickstart_amd.read_queues(events)
        self.assertIsNone(queue["mask"])
        self.assertEqual(quickstart_amd.problems_of_queue(queue, 0xff), "no mask was ever set")

    def test_a_quarter_is_in_whole_rows(self):
        sys.path.insert(0, str(SOURCE / "tools"))
        import quickstart_amd

        for gpu, cus in [
            ({"cus": 104, "xccs": 1, "pairs": False, "engines": [[13]] * 8}, 24),
            ({"cus": 120, "xccs": 1, "pairs": False, "engines": [[15]] * 8}, 32),
            ({"cus": 304, "xccs": 8, "pairs": False, "engines": [[10]] * 4}, 64),
            ({"cus": 80, "xccs": 1, "pairs": True, "engines": [[10, 10]] * 4}, 16),
        ]:
            self.assertEqual(quickstart_amd.quarter_of(gpu), cus)

    def test_a_build_without_amds_parts_says_so(self):
        done = subprocess.run([SOURCE / "tools/quickstart", "--amd", "--build", SOURCE],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("AMD tests", done.stderr)


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
