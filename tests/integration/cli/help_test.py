"""Help, manual page, completion: each says what the others say."""

import json
import re
import shutil
import subprocess
import unittest

import support
from support import BUILD, PROGRAM, RATION, SOURCE

MANUALS = SOURCE / "tools/ration/man"
SCHEMA = SOURCE / "config/policy.schema.json"
COMPLETION = SOURCE / "tools/ration/completion.bash"


# Their keys are data: names of variables, indices of devices.
TABLES = {"set", "driver_environment", "default_memory"}


def fields(value):
    """The names of all fields of a JSON value, however deep."""
    if isinstance(value, list):
        return set().union(*map(fields, value))
    if not isinstance(value, dict):
        return set()
    inner = (fields(each) for name, each in value.items() if name not in TABLES)
    return set(value).union(*inner)


class Help(support.Case):
    def listed(self, heading, *command):
        """The first words of the lines below a heading of --help."""
        text = self.ration(*command, "--help").split(f"{heading}:\n", 1)[1].split("\n\n")[0]
        return re.findall(r"(?m)^  ([a-z]+)", text)

    def commands(self):
        """Every command line that has a help page of its own."""
        plain = [[name] for name in self.listed("Commands")]
        return plain + [["mps", name] for name in self.listed("Subcommands", "mps")]

    def options(self, command):
        lines = re.findall(r"(?m)^  (-\S*)", self.ration(*command, "--help"))
        return {option for line in lines for option in line.split(",") if option.startswith("--")}

    def complete(self, *words):
        """What bash offers for the last of the words."""
        script = (
            f'. {COMPLETION}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ration; '
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = self.start(
            "bash", "-c", script, "bash", "ration", *words,
            variables={"PATH": f"{BUILD}:/usr/bin:/bin"},
        )
        self.assertEqual(done.stderr, "")
        return set(done.stdout.split())

    def test_all_commands_are_there(self):
        self.assertEqual(
            set(self.listed("Commands")),
            {"run", "env", "check", "explain", "ps", "doctor", "mps"},
        )

    def test_every_command_has_examples_and_exit_codes(self):
        for command in self.listed("Commands"):
            text = self.ration(command, "--help")
            self.assertIn("Examples:", text, command)
            self.assertIn(f"ration {command}", text.split("Examples:")[1], command)
            self.assertRegex(text, r"(?m)^Exit codes: .*\d", command)

    def test_every_command_has_json(self):
        for command in self.listed("Commands"):
            self.assertIn("--json", self.options([command]))

    def manual(self, command):
        """What the manual says of a command; explain's options are run's."""
        names = {"explain": ["explain", "run"]}.get(command, [command])
        return "".join((MANUALS / f"ration-{name}.1").read_text() for name in names)

    def test_every_command_has_a_manual_page_with_its_options(self):
        overview = (MANUALS / "ration.1").read_text()
        for command in self.commands():
            manual = self.manual(command[0])
            self.assertRegex(overview, rf"(?m)^\.It Cm {command[0]}$")
            self.assertRegex(manual, rf"(?m)^\.Nm ration Cm .*\b{command[-1]}\b", command)
            for option in self.options(command) - {"--help"}:
                self.assertRegex(manual, rf"(?m)^\.(It|Op) .*Fl -{option[2:]}( |$)", (command, option))

    def test_manual_has_no_option_that_is_gone(self):
        for page in MANUALS.glob("ration*.1"):
            owners = [command for command in self.commands()
                      if page.name == "ration.1"
                      or (MANUALS / f"ration-{command[0]}.1").resolve() == page.resolve()]
            known = {option[2:] for command in owners for option in self.options(command)}
            named = set(re.findall(r"Fl -([a-z][a-z-]+)", page.read_text()))
            self.assertEqual(named - known - {"version"}, set(), page)

    def shown(self):
        """Each command with its output as JSON, on a node where there is something to show."""
        self.environment["SIM_CUDA_GPUS"] = "h100,h100/3g.40gb/3g.40gb"
        self.write("p.toml", "schema = 1\nx = 1\n")
        yield "ps", self.json("ps", code=1)
        yield "check", self.json("check", "p.toml", code=2)
        yield "env", self.json("env", "--share", "25%")
        yield "run", self.json("run", "--share", "25%", "--dry-run", "true")
        yield "explain", self.json("explain", "--device", "0", "--", "true")
        yield "mps", self.json("mps", "ensure")
        self.ration("run", "--device", "0", "--share", "25%", "--", PROGRAM)
        yield "ps", self.json("ps", "--recent")
        yield "doctor", self.json("doctor")
        yield "doctor", self.json("doctor", "true")
        yield "doctor", self.json("doctor", "--driver", BUILD / "sim/libcuda.so.1")
        yield "mps", self.json("mps", "status")
        yield "mps", self.json("mps", "stop")
        yield "", json.loads(self.ration("help", "--json"))
        yield "", json.loads(self.ration("--version", "--json"))
        yield "", json.loads(self.start(RATION, "nosuch", "--json").stdout)

    def test_manual_has_every_json_field(self):
        words = {}
        for page in MANUALS.glob("ration*.1"):
            lines = re.findall(r"(?m)^\.(?:Va|Pq Va) (.*)$", page.read_text().split("\n.Sh JSON OUTPUT\n")[1])
            words[page.stem] = {word for line in lines for word in re.findall("[a-z_]+", line)}
        words["ration"] |= {"error", "exit"}  # said before the list
        for command, told in self.shown():
            page = f"ration-{command}" if command else "ration"
            # A record is as ps has it.
            known = words[page] | (words["ration-ps"] if command in ("explain", "doctor") else set())
            self.assertEqual(fields(told) - known, set(), page)

    def test_manual_has_every_key_of_a_policy(self):
        schema = json.loads(SCHEMA.read_text())
        tables = [schema, schema["properties"]["defaults"]]
        tables += [schema["$defs"][name] for name in ("partition", "pool", "rule")]
        keys = set().union(*(table["properties"] for table in tables))
        named = set(re.findall(r"[a-z_]+", "\n".join(
            re.findall(r"(?m)^\.(?:It )?Ic (.*)$", (MANUALS / "ration-policy.5").read_text())
        )))
        self.assertEqual(keys - named, set())

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_manual_is_well_formed(self):
        done = self.start("mandoc", "-Tlint", "-Wwarning", *sorted(MANUALS.iterdir()))
        self.assertEqual(done.stdout, "")

    def test_completion(self):
        self.assertEqual(
            self.complete(""), set(self.listed("Commands")) | {"--help", "--version"}
        )
        self.assertEqual(self.complete("d"), {"doctor"})
        self.assertEqual(self.complete("mps", ""), set(self.listed("Subcommands", "mps")))
        self.assertEqual(self.complete("env", "--shell", ""), {"sh", "fish"})
        self.assertEqual(self.complete("run", "--scope", ""), {"process", "slot", "user", "cgroup"})
        self.assertEqual(self.complete("explain", "--mechanism", "m"), {"mps", "mig"})
        for command in self.commands():
            self.assertEqual(self.complete(*command, "--"), self.options(command), command)

    def test_json_of_a_failure(self):
        done = self.start(RATION, "explain", "--json", "--pid", str(2**22))
        self.assertEqual(json.loads(done.stdout)["exit"], 1)
        self.assertIn("ration ps --recent", json.loads(done.stdout)["error"])

    def test_json_without_a_command(self):
        told = json.loads(self.ration("help", "--json"))["commands"]
        self.assertEqual([each["name"] for each in told], self.listed("Commands"))
        self.assertEqual(json.loads(self.ration("--help", "--json"))["commands"], told)
        version = json.loads(self.ration("--version", "--json"))["version"]
        self.assertEqual(self.ration("--version"), f"ration {version}\n")
        for arguments, word in (
            (["--json"], "which command"), (["nosuch", "--json"], "nosuch"),
            (["mps", "nosuch", "--json"], "mps nosuch"), (["mps", "--json", "nosuch"], "mps nosuch"),
        ):
            done = self.start(RATION, *arguments)
            told = json.loads(done.stdout)
            self.assertEqual((done.returncode, told["exit"]), (2, 2), arguments)
            self.assertIn(word, told["error"])

    def test_json_of_the_program_is_its_own(self):
        """run's errors are JSON only if ration was asked for it."""
        for arguments in (["--nosuch", "true", "--json"], ["--share", "1%", "nosuch", "--json"]):
            done = self.start(RATION, "run", *arguments)
            self.assertRegex(done.stderr, r"\Aration: [^\n]+\n\Z", arguments)
        done = self.start(RATION, "run", "--json", "--share", "1%", "nosuch")
        self.assertEqual(json.loads(done.stderr)["exit"], 127)

    def test_subcommand_that_is_none(self):
        line = self.complaint("mps", "nosuch", code=2)
        for word in ("mps nosuch", *self.listed("Subcommands", "mps")):
            self.assertIn(word, line)

    def test_help_of_a_command(self):
        self.assertEqual(self.ration("help", "ps"), self.ration("ps", "--help"))
        self.assertEqual(self.ration("help"), self.ration("--help"))

    def test_version_and_mistakes(self):
        self.assertRegex(self.ration("--version"), r"^ration \d+\.\d+\.\d+\n$")
        for arguments in ([], ["begin"], ["check", "--nonsense"], ["ps", "extra"]):
            self.complaint(*arguments, code=2)

    def test_full_disk_is_an_error(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(
                [RATION, "--help"], stdout=full, stderr=subprocess.PIPE, check=False,
                env=self.environment, timeout=support.LIMIT_S,
            )
        self.assertEqual(done.returncode, 1)

    def test_names_cannot_speak_to_the_terminal(self):
        self.assertNotIn("\033", self.complaint("run", "--share", "1%", "\033[2J", code=127))

    def test_no_colours_in_a_pipe(self):
        for command in (["ps", "--recent"], ["doctor"], ["mps", "status"]):
            done = self.start(RATION, *command, variables={"TERM": "xterm"})
            self.assertNotIn("\033", done.stdout + done.stderr)


if __name__ == "__main__":
    support.main()
