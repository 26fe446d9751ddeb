"""ration check: every mistake, and what counts as one policy."""

import json
import os
import unittest

import support
from support import RATION

GOOD = 'schema = 1\n[partition.a]\nshare = "25%"\n[[rule]]\nuse = "partition.a"\n'
BAD = 'schema = 1\n[partition.a]\nshare = "140%"\nshar = 1\n[[rule]]\nuse = "partition.b"\n'


class Check(support.Case):
    def test_good(self):
        policy = self.write("good.toml", GOOD)
        self.assertEqual(
            self.ration("check", policy), f"{policy}: ok: 1 rule, 1 partition, 0 pools\n"
        )
        self.assertEqual(
            self.json("check", policy),
            {"problems": [], "passed_over": [], "notes": [], "files": [str(policy)], "rules": 1, "partitions": 1,
             "pools": 0},
        )

    def test_what_has_no_effect_is_noted(self):
        text = 'schema = 1\n[partition.a]\nshare = "25%"\nreport = "min"\n'
        policy = self.write("note.toml", text + '[pool.b]\nshare = ["25%", "25%"]\nreport = "max"\n')
        notes = [f'report = "{word}" is the same number as "start": no grant changes while a program runs'
                 for word in ("min", "max")]
        self.assertEqual(self.ration("check", policy).splitlines(), [
            f"{policy}:2:12: note: {notes[0]}", f"{policy}:5:7: note: {notes[1]}",
            f"{policy}: ok: 0 rules, 1 partition, 1 pool"])
        told = self.json("check", policy)["notes"]
        self.assertEqual([(each["line"], each["text"]) for each in told], [(2, notes[0]), (5, notes[1])])

    def test_every_mistake_with_its_place(self):
        policy = self.write("bad.toml", BAD)
        printed = self.ration("check", policy, code=2)
        for line in (3, 4, 6):
            self.assertRegex(printed, rf"(?m)^{policy}:{line}:\d+: ")
        problems = self.json("check", policy, code=2)["problems"]
        self.assertEqual([problem["line"] for problem in problems], [3, 4, 6])
        for problem in problems:
            self.assertEqual(set(problem), {"file", "line", "column", "text"})

    def test_files_are_one_policy(self):
        partition = self.write("1.toml", 'schema = 1\n[partition.a]\nshare = "25%"\n')
        rule = self.write("2.toml", 'schema = 1\n[[rule]]\nuse = "partition.a"\n')
        self.assertIn("1 rule, 1 partition", self.ration("check", partition, rule))
        self.assertIn("partition.a", self.ration("check", rule, code=2))
        each = json.loads(self.ration("check", "--each", partition, rule, "--json", code=2))
        self.assertEqual([len(one["problems"]) for one in each], [0, 1])

    def test_standard_input(self):
        self.assertIn("1 rule", self.ration("check", "-", text=GOOD))
        self.assertIn("<stdin>:3:", self.ration("check", "-", text=BAD, code=2))

    def test_site(self):
        policy = self.write(
            "site.toml", 'schema = 1\nlocked = true\n[defaults]\nno_match = "deny"\n'
        )
        self.ration("check", policy, code=2)
        self.ration("check", "--site", policy)
        policy.chmod(0o666)
        self.assertIn("everyone", self.ration("check", "--site", policy, code=2))

    def test_site_files_are_known_by_where_they_lie(self):
        text = 'schema = 1\nlocked = true\n[defaults]\nno_match = "deny"\n'
        self.write("run/policy.d/job.toml", text)
        self.write("run/u0/mine.toml", text)
        mounts = [(self.root / "run", "/run/ration")]
        site = self.inside(RATION, "check", "/run/ration/policy.d/job.toml", mounts=mounts)
        self.assertEqual(site.returncode, 0, site.stdout + site.stderr)
        other = self.inside(RATION, "check", "/run/ration/u0/mine.toml", mounts=mounts)
        self.assertEqual(other.returncode, 2)
        self.assertIn("allowed: in /etc/ration and /run/ration/policy.d", other.stdout)

    def test_places_that_do_not_count(self):
        """A policy.d that others may write to is nobody's: whoever asks for the policy is told."""
        self.write("run/policy.d/job.toml", GOOD)
        (self.root / "run/policy.d").chmod(0o777)
        mounts = [(self.root / "run", "/run/ration")]
        none = self.inside(RATION, "check", mounts=mounts)
        self.assertEqual(none.returncode, 1)
        self.assertRegex(none.stderr, "/run/ration/policy.d.* passed over: (.*\n)*.*no policy found")
        self.write("home/.config/ration/policy.toml", GOOD)
        mine = self.inside(RATION, "check", "--json", mounts=mounts)
        self.assertEqual(mine.returncode, 0, mine.stderr)
        places = json.loads(mine.stdout)["passed_over"]
        self.assertEqual([place["file"] for place in places], ["/run/ration/policy.d"])
        self.assertEqual(set(places[0]), {"file", "line", "column", "text"})

    @unittest.skipIf(os.geteuid() != 0, "only root can give files away")
    def test_site_files_are_distrusted_as_the_library_does(self):
        policy = self.write("run/policy.d/job.toml", GOOD)
        mounts = [(self.root / "run", "/run/ration")]

        def said():
            done = self.inside(RATION, "check", "/run/ration/policy.d/job.toml", mounts=mounts)
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
            return done.stdout

        policy.chmod(0o664)
        os.chown(policy, -1, 4711)
        self.assertIn("the file is writable by a group", said())
        policy.chmod(0o644)
        os.chown(policy, 4711, 0)
        self.assertIn("the file belongs to somebody else", said())
        os.chown(policy, 0, 0)
        policy.parent.chmod(0o777)
        self.assertIn("passed over", said())

    def test_default_is_the_policy_in_force(self):
        self.assertIn("no policy found", self.complaint("check", code=1))
        policy = self.write("home/.config/ration/policy.toml", GOOD)
        self.assertIn(f"{policy}: ok", self.ration("check"))
        policy.write_text(BAD)
        self.assertIn(f"{policy}:3:", self.ration("check", code=2))
        self.assertIn("RATION_DISABLE", self.complaint("check", code=1, variables={"RATION_DISABLE": "1"}))

    def test_unreadable(self):
        missing = self.root / "missing.toml"
        self.assertIn(str(missing), self.ration("check", missing, code=2))

    def test_name_that_is_no_text(self):
        """JSON stays valid whatever bytes a file's name has."""
        name = (str(self.root) + "/\udcff.toml")
        with open(name, "w", encoding="utf-8") as file:
            file.write(BAD)
        done = self.start(RATION, "check", "--json", name)
        self.assertEqual(len(json.loads(done.stdout)["problems"]), 3)


if __name__ == "__main__":
    support.main()
