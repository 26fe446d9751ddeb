"""ration explain: the way to the decision, and the grant line at its end."""

import json
import subprocess

import support
from support import BUILD, PROGRAM, RATION

POLICY = """schema = 1
[partition.quarter]
share = "25%"
memory = "2GiB"
[pool.paper]
assign = "rank"
share = ["50%", "25%"]
[[rule]]
exe = "*/no-such"
use = "deny"
[[rule]]
env = { PARSL_WORKER_RANK = "*" }
use = "pool.paper"
[[rule]]
script = "*/job.sh"
use = "partition.quarter"
[[rule]]
exe = "*/true"
use = "deny"
"""


def text_of(told):
    """The lines that the text says, from the JSON."""
    def place(of):
        return f"{of['file']}:{of['line']}" if of["line"] else of["file"]

    def daemon(facts):
        if facts["daemon_answers"]:
            return f"; a daemon answers at {facts['daemon']}"
        return "; no MPS daemon answers, so processes take turns on the GPU" if facts["name"] == "green" else ""

    files, decision, mechanism = ", ".join(told["policy"]), told["decision"], told["mechanism"]
    pairs = [("exe", told["subject"]["exe"]), ("argv", told["subject"]["argv"]),
             ("policy", f"{files} ({told['origin']})" if files else told["origin"])]
    for rule in told["rules"]:
        found = "not set" if rule["matched"] or rule["found"] is None else f'"{rule["found"]}"'
        wanted = ", ".join(f'"{each}"' for each in rule.get("allowed", []))
        pairs.append(("rule", place(rule) + ": " + (
            "matches" if rule["matched"] else f"no: {rule['key']} is {found}, wanted {wanted}")))
    pairs.append(("decision", f"{decision['partition']} ({decision['why']})"))
    if decision["rank"] is not None:
        pairs.append(("slot", f"{decision['rank']}, from {decision['rank_variable']}"))
    pairs.append(("mechanism", f"{mechanism['name']}: {mechanism['reason']}{daemon(mechanism)}" + (
        "; ration counts the memory" if mechanism["memory_counted"] else "")))
    pairs += [("driver sees", f"{name}={value}") for name, value in told["driver_environment"].items()]
    pairs += [("note", note) for note in told["notes"]]
    last = f"predicted: {told['grant']['line']}" if told["grant"] else f"refused: {told['refusals'][0]}"
    return [f"{label:<12}{value}" for label, value in pairs] + [last]


class Explain(support.Case):
    def setUp(self):
        super().setUp()
        self.policy = self.write("policy.toml", POLICY)
        self.environment["RATION_POLICY"] = str(self.policy)

    def last(self, *command, code=0, variables=None):
        printed = self.ration("explain", "--", *command, code=code, variables=variables)
        return printed.splitlines()[-1]

    def test_rank_and_prediction(self):
        self.daemon()
        told = self.json("explain", "--", "cat", variables={"PARSL_WORKER_RANK": "1"})
        self.assertEqual([rule["matched"] for rule in told["rules"]], [False, True])
        self.assertEqual(told["rules"][0]["key"], "exe")
        self.assertEqual(told["rules"][0]["allowed"], ["*/no-such"])
        self.assertEqual(told["decision"]["partition"], "pool.paper[1]")
        self.assertEqual(told["decision"]["rank_variable"], "PARSL_WORKER_RANK")
        self.assertEqual(told["driver_environment"]["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"], "25")
        self.assertTrue(told["grant"]["predicted"])
        self.assertEqual(
            self.last("cat", variables={"PARSL_WORKER_RANK": "1"}),
            "predicted: asked 25 %, granted 32 of 132 SMs (24.2 %), mps, concurrent: yes",
        )

    def test_prediction_is_what_is_granted(self):
        self.daemon()
        for share in ("1%", "25%", "1/3", "50%", "99%", "100%"):
            told = self.json("explain", "--share", share, "--", PROGRAM)["grant"]["granted"]
            sms = json.loads(self.ration("run", "--share", share, "--", PROGRAM))["sms"]
            self.assertTrue(told.startswith(f"{sms} of 132"), (share, told, sms))

    def test_prediction_of_groups_is_what_is_granted(self):
        """Without a daemon and with one; which groups is known only where they are named."""
        cases = (("--share", "25%"), ("--share", "1/3"), ("--share", "99%"), ("--share", "100%"), ("--sm", "20"),
                 ("--sm", "131"), ("--sm-groups", "1,5"), ("--share", "3%", "--granularity", "fine"),
                 ("--share", "50%", "--exclusive"), ("--share", "50%", "--memory", "2GiB"))
        for daemon in (False, True):
            if daemon:
                self.daemon()
            for options in cases:
                told = self.json("explain", *options, "--green", "--", PROGRAM)["grant"]
                report = json.loads(self.ration("run", *options, "--green", "--", PROGRAM))
                (record,) = [each for each in self.json("ps", "--recent")["records"]
                             if each["pid"] == report["pid"]]
                self.assertTrue(told["granted"].startswith(f"{report['sms']} of 132"), (options, told))
                self.assertTrue(record["granted"].startswith(told["granted"]), (options, record))
                for key in ("asked", "mechanism", "concurrent", "devices", "memory_counted"):
                    self.assertEqual(told[key], record[key], (options, key))
                self.assertEqual(told["concurrent"], daemon)

    def test_prediction_of_a_refusal_is_the_refusal(self):
        self.daemon()
        for options in (("--share", "3%", "--green"), ("--sm-groups", "15"), ("--sm", "133", "--green")):
            (told,) = self.json("explain", *options, "--", PROGRAM, code=1)["refusals"]
            done = self.start(RATION, "run", *options, "--", PROGRAM)
            self.assertEqual(done.stderr, f"ration: {told}\n")

    def test_mechanism_and_why(self):
        def mechanism(*options):
            printed = self.ration("explain", *options, "--", PROGRAM)
            return next(line for line in printed.splitlines() if line.startswith("mechanism"))

        self.assertIn("none: an MPS daemon, where one answers", mechanism("--memory", "1GiB"))
        self.assertIn("; ration counts the memory", mechanism("--memory", "1GiB", "--scope", "user"))
        self.assertIn("none: neither SMs nor memory", mechanism("--device", "0"))
        self.daemon()
        self.assertIn("mps: a share alone is an MPS percentage; a daemon", mechanism("--share", "25%"))

    def told(self, *options, code=0):
        return self.json("explain", *options, "--", PROGRAM, code=code)

    def test_json_has_the_mechanism_and_why(self):
        """For what can be had and for what cannot."""
        def facts(*options, code=0):
            told = self.told(*options, code=code)
            return (told["verdict"], *(told["mechanism"] or {}).values())

        green = ('mechanism = "green" is written', "exclusive hands out groups of SMs")
        memory = "an MPS daemon, where one answers, keeps a memory limit, and none does"
        self.assertEqual(
            facts("--share", "25%", "--green"), ("confined", "green", green[0], False, None, False))
        self.assertEqual(facts("--memory", "1GiB"), ("confined", "none", memory, False, None, True))
        self.assertEqual(
            facts("--share", "25%", "--exclusive", code=1),
            ("refused", "green", green[1], False, None, False))
        self.assertEqual(facts("--share", "3%", "--green", code=1)[:2], ("refused", "green"))
        pipe = self.daemon()["pipe_directory"]
        self.assertEqual(
            facts("--share", "25%"),
            ("confined", "mps", "a share alone is an MPS percentage", True, pipe, False))
        self.assertEqual(
            facts("--share", "25%", "--exclusive"),
            ("confined", "green", green[1], True, pipe, False))
        scope = "scope shares SMs between processes, and an MPS percentage is each process's own"
        self.assertEqual(
            facts("--share", "25%", "--scope", "user"), ("confined", "green", scope, True, pipe, False))
        told = self.json("explain", "--", "cat")
        self.assertEqual((told["verdict"], told["mechanism"]), ("untouched", None))
        self.assertEqual(told["decision"]["why"], "no rule matches: no_match")
        self.assertEqual(told["policy_kind"], "policy")
        self.assertEqual(self.json("explain", variables={"RATION_POLICY": ""})["policy_kind"], "none")

    def test_text_can_be_made_of_json(self):
        self.daemon()
        rank = {"PARSL_WORKER_RANK": "1"}
        for variables, *options in (
            (rank,), ({}, "--share", "50%", "--exclusive"), ({}, "--sm", "6", "--granularity", "fine"),
            ({}, "--share", "25%", "--memory", "2GiB"), ({}, "--memory", "1GiB", "--scope", "user"),
            ({}, "--share", "3%", "--green"), ({}, "--device", "0"),
        ):
            code = 1 if "3%" in options else 0
            command = ("explain", *options, "--", "cat")
            told = self.json(*command, code=code, variables=variables)
            printed = self.ration(*command, code=code, variables=variables)
            self.assertEqual(printed.splitlines(), text_of(told))

    def test_a_key_without_effect_says_so(self):
        self.daemon()
        for word in ("max", "min"):
            told = self.told("--share", "25%", "--report", word, "--green")
            self.assertIn(f'report = "{word}" is the same number as "start"', " ".join(told["notes"]))
        told = self.told("--share", "25%", "--report", "start", "--green")
        self.assertNotIn("report", " ".join(told["notes"]))

    def test_groups_of_sms(self):
        def last(*options, code=0):
            printed = self.ration("explain", *options, "--", PROGRAM, code=code)
            return printed, printed.splitlines()[-1]

        self.assertIn("ration mps ensure", last("--share", "50%", "--exclusive", code=1)[1])
        self.assertIn("groups of SMs take turns", last("--share", "50%", "--exclusive", code=1)[1])
        printed, line = last("--share", "25%", "--green")
        self.assertIn("33 SMs are asked for: rounded down to 4 of 15 groups of 8\n", printed)
        self.assertEqual(
            line, "predicted: asked 25 %, granted 32 of 132 SMs (24.2 %), green, concurrent: no"
        )
        self.assertIn(
            'mechanism   green: mechanism = "green" is written; no MPS daemon answers', printed
        )
        self.daemon()
        printed, line = last("--share", "50%", "--exclusive")
        self.assertIn("mechanism   green: exclusive hands out groups of SMs; a daemon", printed)
        self.assertIn("other MPS clients", printed)
        self.assertIn("64 of 132 SMs (48.5 %), green, concurrent: yes", line)
        self.assertIn("24 of 132 SMs (18.2 %), groups 0-1,7, green", last("--sm-groups", "7,0-1")[1])
        printed, line = last("--sm", "6", "--granularity", "fine")
        self.assertIn("NCCL", printed)
        self.assertIn("granted 6 of 132 SMs", line)
        self.assertIn('granularity = "fine"', last("--share", "5%", "--green", code=1)[1])
        self.assertIn("there is no group 15", last("--sm-groups", "15", code=1)[1])

    def test_script_is_seen_through_its_interpreter(self):
        self.daemon()
        script = self.write("job.sh", "#!/bin/sh\n", 0o755)
        told = self.json("explain", "--", script)
        self.assertEqual(told["subject"]["script"], str(script))
        self.assertEqual(told["decision"]["partition"], "partition.quarter")
        self.assertEqual(told["grant"]["memory_quota"], 2 << 30)

    def test_refusals(self):
        refused = self.last("cat", code=1, variables={"PARSL_WORKER_RANK": "9"})
        self.assertRegex(refused, r"^refused: .*PARSL_WORKER_RANK=9, but pool.paper has 2 slots")
        self.assertRegex(self.last("true", code=1), "^refused: .*deny")
        no_daemon = self.last("cat", code=1, variables={"PARSL_WORKER_RANK": "0"})
        self.assertIn("ration mps ensure", no_daemon)

    def test_not_concerned(self):
        self.assertEqual(self.last("cat"), "not confined: the whole GPU")
        self.assertIn("none found", self.ration("explain", variables={"RATION_POLICY": ""}))
        disabled = self.ration("explain", "--", "cat", variables={"RATION_DISABLE": "1"})
        self.assertIn("RATION_DISABLE", disabled)

    def test_mistakes(self):
        self.policy.write_text("schema = 1\nx = 1\n")
        self.assertIn(f"{self.policy}:2:1", self.complaint("explain", "--", "cat", code=2))
        self.assertIn("exclude", self.complaint("explain", "--pid", "1", "--", "cat", code=2))

    def test_program_that_is_not_reached(self):
        printed = self.ration("explain", "--", BUILD / "static_program", code=1)
        self.assertIn("statically linked", printed)
        self.complaint("explain", "--", "no-such-program", code=1)

    def test_process_is_told_from_its_record(self):
        self.daemon()
        report = json.loads(self.ration("run", "--share", "25%", "--", PROGRAM))
        told = self.json("explain", "--pid", report["pid"])
        self.assertFalse(told["grant"]["predicted"])
        self.assertEqual(told["grant"]["granted"], "32 of 132 SMs (24.2 %)")
        self.assertIsNone(told["subject"])  # it has ended

    def test_running_process(self):
        """Its own environment and arguments count, not ours."""
        with subprocess.Popen(
            ["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            env={**self.environment, "PARSL_WORKER_RANK": "5"},
        ) as process:
            told = self.json("explain", "--pid", process.pid, code=1)
            process.stdin.close()
        self.assertEqual(told["subject"]["argv"], "cat")
        self.assertEqual(told["decision"]["kind"], "error")
        self.assertEqual(told["records"], [])

    def test_no_such_process(self):
        self.assertIn("no process", self.complaint("explain", "--pid", 2**22, code=1))
        for pid in (0, -1, 2**22 + 1):
            self.assertIn("--pid", self.complaint("explain", "--pid", pid, code=2))


if __name__ == "__main__":
    support.main()
