"""ration run: what the program finds in its environment, and what is refused."""

import json
import os
import unittest

import support
from support import BUILD, LIBRARY, PROGRAM, RATION


class Started(support.Case):
    def preload(self, existing, *options):
        return self.ration(
            "run", "--share", "25%", *options, "--", "sh", "-c", "printf %s \"$LD_PRELOAD\"",
            variables={"LD_PRELOAD": existing},
        )

    def test_program_gets_its_share(self):
        self.daemon()
        report = json.loads(self.ration("run", "--share", "25%", "--", PROGRAM))
        self.assertEqual(report["sms"], 32)

    def test_exit_code_is_the_programs(self):
        for code in (0, 1, 7, 255):
            self.ration("run", "--share", "25%", "--", "sh", "-c", f"exit {code}", code=code)

    def test_arguments_arrive_as_they_are(self):
        words = ["--share", "", "a b", "it's", "$HOME", "line\nline", "--", "*"]
        script = 'for word; do printf "<%s>" "$word"; done'
        printed = self.ration("run", "--share", "25%", "--", "sh", "-c", script, "sh", *words)
        self.assertEqual(printed, "".join(f"<{word}>" for word in words))

    def test_options_end_at_the_program(self):
        """Also at one that is called as a command of ours is, or that takes options as ours."""
        for command in (["env"], ["sh", "-c", "env", "--share", "99%"]):
            printed = self.ration("run", "--share", "25%", *command)
            self.assertIn("RATION_SHARE=25%\n", printed)

    def test_flags_arrive_as_variables(self):
        printed = self.ration(
            "run", "--share=1/3", "--memory", "2GiB", "--device", "0", "--name", "mine",
            "--use", "partition.x", "--", "env",
        )
        for line in (
            "RATION_SHARE=1/3", "RATION_MEMORY=2GiB", "RATION_DEVICE=0", "RATION_NAME=mine",
            "RATION_USE=partition.x",
        ):
            self.assertIn(line + "\n", printed)

    def test_policy_is_absolute(self):
        self.write("policy.toml", 'schema = 1\n[[rule]]\nuse = "ignore"\n')
        printed = self.ration(
            "run", "--policy", "policy.toml", "--", "env", variables={"RATION_NAME": "mine"}
        )
        self.assertIn(f"RATION_POLICY={self.root}/policy.toml\n", printed)
        self.assertNotIn("RATION_NAME", printed)

    def test_policy_within_a_share_could_widen_it(self):
        self.write("policy.toml", 'schema = 1\n[[rule]]\nuse = "ignore"\n')
        for option, value in (("--share", "25%"), ("--memory", "2GiB"), ("--device", "0")):
            inner = [RATION, "run", "--policy", "policy.toml", "--", "true"]
            line = self.complaint("run", option, value, "--", *inner, code=2)
            self.assertIn(f"RATION_{option[2:].upper()}={value}", line)
            self.assertIn("leave --policy out", line)

    def test_outer_flags_stay(self):
        printed = self.ration(
            "run", "--memory", "1GiB", "--", "env", variables={"RATION_SHARE": "25%"}
        )
        self.assertIn("RATION_SHARE=25%\n", printed)

    def test_a_share_within_a_share_only_narrows(self):
        cases = [
            ("RATION_SHARE", "--share", "25%", "100%", "25%"),
            ("RATION_SHARE", "--share", "1/2", "25%", "25%"),
            ("RATION_SM", "--sm", "32", "64", "32"),
            ("RATION_SM", "--sm", "64", "32", "32"),
            ("RATION_SM_GROUPS", "--sm-groups", "0-3,7", "2-7", "2-3,7"),
            ("RATION_CU", "--cu", "24", "48", "24"),
            ("RATION_CU_MASK", "--cu-mask", "0=0xff,1=0xf", "0=0x1f,2=0xf", "0=0x1f"),
            ("RATION_DEVICE_SHARE", "--device-share", "0=25%,1=50%", "1=75%,2=5%", "1=50%"),
            ("RATION_DEVICE_SHARE", "--device-share", "0=25%,1=50%", "1=5%,0=1/2", "1=5%,0=25%"),
            ("RATION_PRIORITY", "--priority", "1", "0", "1"),
            ("RATION_MEMORY", "--memory", "1GiB", "2GiB", "1GiB"),
            ("RATION_MEMORY", "--memory", "1GiB", "512MiB", "512MiB"),
            ("RATION_MEMORY", "--memory", "25%", "50%", "25%"),
            ("RATION_DEVICE", "--device", "0,2", "2,1", "2"),
            ("RATION_MIG", "--mig", "MIG-aa", "MIG-aa", "MIG-aa"),
            ("RATION_NAME", "--name", "outer", "inner", "inner"),
        ]
        for variable, option, outer, inner, holds in cases:
            limit = ("--share", "25%") if option == "--name" else ()
            command = ("run", *limit, option, inner, "--", "env")
            printed = self.ration(*command, variables={variable: outer})
            self.assertIn(f"{variable}={holds}\n", printed)
        printed = self.ration(
            "run", "--share", "25%", "--", RATION, "run", "--share", "100%", "--", "env"
        )
        self.assertIn("RATION_SHARE=25%\n", printed)
        lines = self.ration("env", "--share", "50%", variables={"RATION_SHARE": "25%"})
        self.assertIn("RATION_SHARE='25%'", lines.replace('"', "'"))

    def test_flags_of_groups_reach_the_program(self):
        printed = self.ration(
            "run", "--sm-groups", "0-3", "--green", "--exclusive", "--wait", "5min",
            "--scope", "user", "--granularity", "fine", "--report", "min",
            "--own-contexts", "primary", "--", "env",
        )
        for line in (
            "RATION_SM_GROUPS=0-3", "RATION_MECHANISM=green", "RATION_EXCLUSIVE=1",
            "RATION_WAIT=5min", "RATION_SCOPE=user", "RATION_GRANULARITY=fine",
            "RATION_REPORT=min", "RATION_OWN_CONTEXTS=primary",
        ):
            self.assertIn(line + "\n", printed)
        for option, outer, inner in (
            ("scope", "user", "cgroup"), ("granularity", "fine", "group"),
            ("mechanism", "green", "mps"), ("distribution", "engines", "even"),
        ):
            variable = f"RATION_{option.upper()}"
            line = self.complaint(
                "run", "--share", "25%", f"--{option}", inner, "--", "true", code=2,
                variables={variable: outer},
            )
            self.assertIn(f"{variable}={outer}", line)
            self.assertIn("keeps the outer one", line)
        line = self.complaint("run", "--exclusive", "--", "true", code=2)
        self.assertIn("--exclusive: the command line limits nothing", line)

    def test_flags_are_read_together_with_the_outer_ones(self):
        outer = {"RATION_SHARE": "50%", "RATION_EXCLUSIVE": "1"}
        printed = self.ration(
            "run", "--share", "25%", "--wait", "5min", "--", "env", variables=outer
        )
        self.assertIn("RATION_WAIT=5min\n", printed)
        line = self.complaint("run", "--sm", "5", "--", "true", code=2, variables=outer)
        self.assertIn("two sizes, share and sm", line)
        self.assertIn("in the environment: RATION_SHARE=50%, RATION_EXCLUSIVE=1", line)

    def test_green_is_a_mechanism(self):
        for options in (["--green"], ["--mechanism", "green"], ["--mechanism", "green", "--green"]):
            printed = self.ration("run", "--share", "25%", *options, "--", "env")
            self.assertIn("RATION_MECHANISM=green\n", printed)
        for options in (["--green", "--mechanism", "mps"], ["--mechanism", "mps", "--green"]):
            line = self.complaint("run", "--share", "25%", *options, "--", "true", code=2)
            self.assertIn("--green", line)

    def test_shares_by_device_are_obeyed(self):
        self.environment["SIM_CUDA_GPUS"] = "h100,h100"
        self.daemon()
        printed = self.ration("explain", "--device-share", "0=25%,1=50%", "--", PROGRAM)
        self.assertIn("granted 32 of 132 SMs (24.2 %); 64 of 132 SMs", printed)

    def test_what_cannot_be_narrowed_is_an_error_that_shows_both(self):
        cases = [
            ("RATION_MEMORY", "--memory", "25%", "2GiB"),
            ("RATION_DEVICE", "--device", "0,1", "2"),
            ("RATION_MIG", "--mig", "MIG-aa", "MIG-bb"),
            ("RATION_CU_MASK", "--cu-mask", "0=0xf", "0=0xf0"),
            ("RATION_SM_GROUPS", "--sm-groups", "0-3", "4"),
            ("RATION_DEVICE_SHARE", "--device-share", "0=25%", "1=25%"),
            ("RATION_SHARE", "--share", "lots", "25%"),
            ("RATION_SM", "--sm", "lots", "32"),
        ]
        for variable, option, outer, inner in cases:
            line = self.complaint(
                "run", option, inner, "--", "true", code=2, variables={variable: outer}
            )
            self.assertIn(variable, line)
            self.assertIn(outer, line)
            if outer != "lots":
                self.assertIn(f"{option} {inner}", line)

    @unittest.skipIf(support.SANITIZED, "jemalloc and ASan both want to be the allocator")
    def test_preload_is_merged(self):
        other = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
        if not os.path.exists(other):
            self.skipTest("no jemalloc")
        self.assertEqual(self.preload(other), f"{LIBRARY}:{other}")
        self.assertEqual(self.preload(f"{other}:{LIBRARY}"), f"{LIBRARY}:{other}")

    def test_run_within_run_preloads_once(self):
        printed = self.ration(
            "run", "--share", "50%", "--", RATION, "run", "--memory", "1GiB", "--", "sh", "-c",
            "printf %s \"$LD_PRELOAD\"",
        )
        self.assertEqual(printed.count("libration.so"), 1)

    def test_library_from_environment(self):
        other = self.write("other/libration.so", "")
        plan = self.json(
            "run", "--share", "25%", "--dry-run", "--", "true",
            variables={"RATION_LIBRARY": str(other)},
        )
        self.assertEqual(plan["library"], str(other))
        self.assertEqual(plan["set"]["LD_PRELOAD"], str(other))

    def test_dry_run_starts_nothing(self):
        mark = self.root / "mark"
        plan = self.json("run", "--share", "25%", "--dry-run", "--", "touch", mark)
        self.assertFalse(mark.exists())
        self.assertEqual(plan["arguments"], ["touch", str(mark)])
        self.assertEqual(plan["set"]["RATION_SHARE"], "25%")

    def test_dry_run_shows_nothing_that_a_locked_policy_ignores(self):
        self.write("site/policy.toml", 'schema = 1\nlocked = true\n[defaults]\nno_match = "deny"\n')
        self.write("mine.toml", 'schema = 1\n[[rule]]\nuse = "ignore"\n')
        mounts = [(self.root / "site", "/etc/ration")]
        for options in (["--policy", "mine.toml"], ["--share", "50%"]):
            done = self.inside(
                RATION, "run", *options, "--use", "deny", "--dry-run", "--", "true", mounts=mounts
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("RATION_POLICY", done.stdout)
            self.assertNotIn("RATION_SHARE", done.stdout)
            self.assertIn("RATION_USE=deny", done.stdout)
            self.assertIn("/etc/ration/policy.toml is locked", done.stderr)

    def test_disabled_says_so_and_runs(self):
        done = self.start(
            RATION, "run", "--share", "25%", "--", "echo", "ran", variables={"RATION_DISABLE": "1"}
        )
        self.assertEqual(done.stdout, "ran\n")
        self.assertIn("RATION_DISABLE", done.stderr)


class Refused(support.Case):
    def refusal(self, *command, code):
        return self.complaint("run", "--share", "25%", "--", *command, code=code)

    def test_missing(self):
        self.assertIn("no such program", self.refusal("no-such-program", code=127))

    def test_not_executable(self):
        self.assertIn("not executable", self.refusal(self.write("data", ""), code=126))
        self.assertIn("not executable", self.refusal(self.root, code=126))

    def test_static(self):
        self.assertIn("static", self.refusal(BUILD / "static_program", code=125))

    def test_script_for_a_static_interpreter(self):
        script = self.write("script", f"#!{BUILD}/static_program\n", 0o755)
        self.assertIn("static", self.refusal(script, code=125))

    def test_refusal_as_json_leaves_stdout_alone(self):
        done = self.start(RATION, "run", "--json", "--share", "25%", "--", "no-such-program")
        self.assertEqual(done.stdout, "")
        self.assertEqual(json.loads(done.stderr)["exit"], 127)

    def test_library_is_missing(self):
        line = self.complaint(
            "run", "--share", "25%", "--", "true", code=125,
            variables={"RATION_LIBRARY": str(self.root / "none.so")},
        )
        self.assertIn("RATION_LIBRARY", line)

    @unittest.skipIf(support.SANITIZED, "ASan reads the bounds of the stack in /proc")
    def test_without_proc_no_library_is_guessed(self):
        self.write("libration.so", "")
        self.write("lib/ration/libration.so", "")
        done = self.inside(
            RATION, "run", "--dry-run", "--share", "25%", "--", "true", proc=False
        )
        self.assertEqual((done.returncode, done.stdout), (125, ""), done.stderr)
        self.assertIn("mount /proc", done.stderr)

    def test_library_path_that_cannot_be_preloaded(self):
        other = self.write("a b/libration.so", "")
        line = self.complaint(
            "run", "--share", "25%", "--", "true", code=125,
            variables={"RATION_LIBRARY": str(other)},
        )
        self.assertIn("a space", line)


class Usage(support.Case):
    def usage(self, *arguments):
        return self.complaint("run", *arguments, code=2)

    def test_no_program(self):
        self.assertIn("which program", self.usage("--share", "25%"))

    def test_unknown_option_is_not_the_program(self):
        self.assertIn("--shares", self.usage("--shares", "25%", "--", "true"))

    def test_mistaken_options_as_json(self):
        for command in ("run", "check", "env"):
            done = self.start(RATION, command, "--json", "--no-such", "x")
            self.assertEqual(done.returncode, 2)
            told = json.loads(done.stderr if command == "run" else done.stdout)
            self.assertEqual(told["exit"], 2)
            self.assertIn("--no-such", told["error"])
        done = self.start(RATION, "run", "--no-such", "--", "true", "--json")
        self.assertRegex(done.stderr, "^ration: ")

    def test_impossible_share(self):
        self.assertIn("140%", self.usage("--share", "140%", "--", "true"))

    def test_empty_value(self):
        self.assertIn("must not be empty", self.usage("--share", "", "--", "true"))

    def test_nothing_to_enforce(self):
        self.assertIn("no policy found", self.usage("--", "true"))

    def test_policy_beside_flags(self):
        self.assertIn("exclude", self.usage("--policy", "x.toml", "--share", "25%", "--", "true"))

    def test_missing_policy(self):
        self.assertIn("x.toml", self.usage("--policy", "x.toml", "--", "true"))

    def test_every_mistake_is_printed(self):
        policy = self.write("p.toml", 'schema = 1\n[partition.a]\nshare = "0%"\nsharee = 1\n')
        done = self.start(RATION, "run", "--policy", policy, "--", "true")
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"ration: {policy}:3:", done.stderr)
        self.assertIn(f"ration: {policy}:4:", done.stderr)


if __name__ == "__main__":
    support.main()
