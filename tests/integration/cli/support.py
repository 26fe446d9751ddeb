"""What the tests of the ration command share: a node of their own, simulated.

Each test file is run as NAME_test.py BUILD SOURCE.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BUILD, SOURCE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
RATION = BUILD / "ration"
LIBRARY = BUILD / "libration.so"
PROGRAM = BUILD / "apps/procaddress"  # a CUDA program that prints what it was granted
LIMIT_S = 60
# A program that was not built with ASan can't load a driver that was.
SANITIZED = b"__asan_init" in RATION.read_bytes()


class Case(unittest.TestCase):
    """A home, a runtime directory and a simulated node with one H100 for each test."""

    def setUp(self):
        # /tmp: the path of an MPS socket may not be longer than 108 bytes.
        folder = tempfile.TemporaryDirectory(prefix="ration-cli.", dir="/tmp")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "home").mkdir()
        self.environment = {
            "PATH": f"{BUILD}/sim/bin:/usr/bin:/bin",
            "LD_LIBRARY_PATH": f"{BUILD}/sim",
            "HOME": f"{self.root}/home",
            "RATION_RUNTIME_DIR": f"{self.root}/run",
            "LANG": "C.UTF-8",
            # Without effect but in a build with ASan. The simulated NVML carries a libstdc++ of its
            # own, whose emergency pool stays behind when it is unloaded; and what a test preloads
            # into ration itself may come before the runtime.
            "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0",
        }

    def start(self, *command, variables=None, text=None):
        """Runs a command to its end; whatever its exit code."""
        return subprocess.run(
            [str(word) for word in command],
            env={**self.environment, **(variables or {})},
            input=text,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            cwd=self.root,
            timeout=LIMIT_S,
            check=False,
        )

    def ration(self, *arguments, code=0, variables=None, text=None):
        """ration's standard output; fails the test if it ends with another code."""
        done = self.start(RATION, *arguments, variables=variables, text=text)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def complaint(self, *arguments, code, variables=None):
        """The one line on standard error with which ration gives up, without "ration: "."""
        done = self.start(RATION, *arguments, variables=variables)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}{done.stderr}")
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Aration: [^\n]+\n\Z")
        return done.stderr[len("ration: ") : -1]

    def json(self, *arguments, code=0, variables=None):
        command, *rest = arguments
        return json.loads(self.ration(command, "--json", *rest, code=code, variables=variables))

    def inside(self, *command, mounts=(), proc=True):
        """Runs a command where files of ours lie at fixed places: pairs of source and target."""
        options = ["--ro-bind", "/usr", "/usr", "--dev", "/dev"]
        for name in ("lib", "lib64", "bin"):
            options += ["--symlink", f"usr/{name}", f"/{name}"]
        options += ["--proc", "/proc"] if proc else []
        if os.geteuid() != 0:  # a site policy belongs to root
            options += ["--unshare-user", "--uid", "0", "--gid", "0"]
        for place in (BUILD, self.root):
            options += ["--bind", place, place]
        for source, target in mounts:
            options += ["--bind", source, target]
        options += ["--chdir", self.root]
        if self.start("bwrap", *options, "true").returncode != 0:
            self.skipTest("bubblewrap may make no namespaces here")
        return self.start("bwrap", *options, *command)

    def write(self, name, text, mode=0o644):
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def daemon(self):
        """A private MPS daemon, gone with the test."""
        self.addCleanup(self.start, RATION, "mps", "stop", "--force")
        return self.json("mps", "ensure")


def main():
    unittest.main(argv=sys.argv[:1])
