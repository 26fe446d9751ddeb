"""ration env: lines for a shell, and the same as JSON."""

import json

import support
from support import LIBRARY, PROGRAM


class Env(support.Case):
    def evaluate(self, lines, then, variables=None):
        return self.start("bash", "-c", f"{lines}\n{then}", variables=variables).stdout

    def test_shell_that_evaluates_it_is_confined(self):
        self.daemon()
        lines = self.ration("env", "--share", "25%", "--memory", "2GiB")
        report = json.loads(self.evaluate(lines, f"{PROGRAM}"))
        self.assertEqual(report["sms"], 32)

    def test_path_of_a_policy_is_quoted(self):
        policy = self.write("it's a policy\n.toml", 'schema = 1\n[[rule]]\nuse = "ignore"\n')
        lines = self.ration("env", "--policy", policy)
        self.assertEqual(self.evaluate(lines, 'printf %s "$RATION_POLICY"'), str(policy))

    def test_twice_is_as_once(self):
        lines = self.ration("env", "--share", "25%")
        show = 'printf %s "$LD_PRELOAD"'
        self.assertEqual(self.evaluate(lines + lines, show), str(LIBRARY))

    def test_works_in_a_strict_shell(self):
        lines = self.ration("env", "--share", "25%")
        done = self.start("bash", "-eu", "-c", f"{lines}\necho done")
        self.assertEqual((done.stdout, done.stderr), ("done\n", ""))

    def test_policy_removes_flags(self):
        policy = self.write("p.toml", 'schema = 1\n[[rule]]\nuse = "ignore"\n')
        lines = self.ration("env", "--policy", policy)
        shown = self.evaluate(
            lines, 'printf %s "${RATION_SHARE-gone}"', variables={"RATION_SHARE": "25%"}
        )
        self.assertEqual(shown, "gone")

    def test_json(self):
        shown = self.json("env", "--share", "25%")
        self.assertEqual(shown["set"], {"RATION_SHARE": "25%", "LD_PRELOAD": str(LIBRARY)})
        self.assertEqual(shown["library"], str(LIBRARY))
        self.assertEqual(shown["origin"], "flags")

    def test_mistakes(self):
        self.assertIn("--shell", self.complaint("env", "--share", "1%", "--shell", "cmd", code=2))
        self.assertIn("140%", self.complaint("env", "--share", "140%", code=2))


if __name__ == "__main__":
    support.main()
