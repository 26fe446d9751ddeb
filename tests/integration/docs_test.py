"""Runs every command that the documents show, on the simulated driver, as if ration were installed.

    docs_test.py BUILD SOURCE            the test
    docs_test.py BUILD SOURCE --update   writes what the commands print into the documents

Fenced blocks, by the first word after the fence and the one behind it:
  sh              run by bash -eu; must succeed
  console         lines with "$ " are run; what they print must be what the document says. A line
                  "..." stands for any lines
  toml            read by `ration check`; `toml site` as a site's policy
  text            not run; quickstart_test.py compares the one in README.md
  sh install      as sh; installs into, or removes from, the sandbox's /usr/local
  sh WHAT         for any other WHAT: not run here. NOT_RUN says why, and by what it is run instead
"""

import dataclasses
import itertools
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import missing_namespaces

BUILD, SOURCE = pathlib.Path(), pathlib.Path()
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "config/README.md"]
MENTIONS = [*DOCUMENTS, "SECURITY.md", "CHANGELOG.md", "shim/README.md"]
NO_DOCUMENTS = {"build", ".git"}  # folders, at the top of the tree
LIMIT_S = 120
NOT_RUN = {
    "tools/quickstart": "run by .ci/run and, on this build, by quickstart_test.py",
    "tools/test": "runs this test",
    "container": "needs podman or Apptainer and an image; recipes_test.py exercises the options",
    "root": "needs root on a GPU machine",
    "scheduler": "needs Slurm; recipes_test.py exercises the scripts",
    "gpu": "needs a GPU",
    "build": "builds for a long time; nothing runs these lines",
}


@dataclasses.dataclass
class Block:
    document: str
    line: int  # of the opening fence, from 1
    kind: str
    mark: str
    text: str

    @property
    def place(self):
        return f"{self.document}:{self.line}"


def blocks_of(document, text):
    """The fenced blocks of a document, in its order."""
    found, opened = [], None
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"```(\S*) ?(.*)$", line)
        if not fence:
            if opened:
                opened.text += line + "\n"
        elif opened:
            found.append(opened)
            opened = None
        else:
            opened = Block(document, number, fence.group(1), fence.group(2).strip(), "")
    if opened:
        raise ValueError(f"{opened.place}: this fence is never closed")
    return found


def commands_of(block):
    """A console block as pairs of a command and what it is to print."""
    pairs = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            pairs.append((line[2:], []))
        elif pairs:
            pairs[-1][1].append(line)
        else:
            raise ValueError(f"{block.place}: output before the first command")
    return [(command, "".join(f"{line}\n" for line in lines)) for command, lines in pairs]


def alike(expected, printed):
    """True if the output is the expected one; a line "..." matches any lines."""
    parts = [re.escape(part) for part in re.split(r"(?m)^\.\.\.\n", expected)]
    return re.fullmatch("(?:.*\n)*".join(parts), printed) is not None


class Sandbox:
    """A file system of its own: /usr/local with ration installed, /run/ration and the home directory
    are new; everything else is this machine's and read-only. The commands run in one process
    namespace, so that nothing outlives it."""

    def __init__(self, root):
        self.root = root
        for name in ("run", "home", "work", "out", "installed"):
            (root / name).mkdir()
        environment = {**os.environ, "DESTDIR": str(root / "installed")}
        subprocess.run(
            ["cmake", "--install", BUILD], env=environment, check=True, capture_output=True
        )
        sudo = root / "installed/usr/local/bin/sudo"
        sudo.write_text('#!/bin/sh\nexec "$@"\n')
        sudo.chmod(0o755)
        self.script = [f"cd {self.fill_work()}"]
        self.count = 0

    def fill_work(self):
        """The working directory, with the files that the documents speak of."""
        folder = self.root / "work"
        shutil.copy(SOURCE / "tests/apps/by_ctypes.py", folder / "train.py")
        shutil.copy(SOURCE / "config/examples/quarter.toml", folder / "policy.toml")
        shutil.copy(SOURCE / "tests/integration/broken.toml", folder)
        shutil.copy(BUILD / "apps/procaddress", folder / "solver")
        source = self.root / "static.c"
        source.write_text("int main(void) { return 0; }\n")
        subprocess.run(["cc", "-static", "-o", folder / "static-solver", source], check=True)
        (folder / "build").mkdir()
        for preset in ("release", "dev"):
            (folder / "build" / preset).symlink_to(BUILD)
        return folder

    def add(self, command, *, strict):
        """Queues a command; its output and status are there after run()."""
        number = self.count
        self.count += 1
        out = self.root / "out" / str(number)
        shell = "bash -eu -o pipefail" if strict else "bash"
        self.script.append(
            f"{shell} -c {shlex.quote(command)} >{out} 2>&1 </dev/null; echo $? >{out}.status"
        )
        return number

    def run(self):
        root = self.root
        (root / "script").write_text("\n".join(self.script) + "\n")
        mounts = ["--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev", "--proc", "/proc"]
        mounts += ["--tmpfs", "/run", "--bind", root, root, "--bind", BUILD, BUILD]
        for source, target in (
            ("installed/usr/local", "/usr/local"),
            ("run", "/run/ration"),
        ):
            mounts += ["--bind", root / source, target]
        environment = {
            "HOME": str(root / "home"),
            "PATH": f"{BUILD}/sim/bin:/usr/local/bin:/usr/bin:/bin",
            "LD_LIBRARY_PATH": f"{BUILD}/sim",
            "SIM_CUDA_GPUS": "h100",
            "RATION_RUNTIME_DIR": "/run/ration",
            "LANG": "C.UTF-8",
        }
        settings = [word for pair in environment.items() for word in ("--setenv", *pair)]
        command = ["bwrap", *mounts, "--unshare-pid", "--die-with-parent", "--clearenv", *settings]
        subprocess.run([*command, "bash", root / "script"], check=True, timeout=LIMIT_S)

    def result(self, number):
        out = self.root / "out" / str(number)
        status = int(pathlib.Path(f"{out}.status").read_text())
        # Whoever runs the test, the documents show an ordinary user.
        return status, out.read_text().replace(f"/u{os.getuid()}/", "/u1000/")


def run_document(document):
    """Runs all blocks of a document, in its order and on one machine. Returns (block, list of (command,
    expected, status, printed)) for each block; the list is empty if it is not run."""
    with tempfile.TemporaryDirectory(prefix="ration-docs.", dir="/tmp") as folder:
        sandbox = Sandbox(pathlib.Path(folder))
        blocks = blocks_of(document, (SOURCE / document).read_text())
        queued = [(block, list(queue(sandbox, block))) for block in blocks]
        sandbox.run()
        return [
            (block, [(command, expected, *sandbox.result(n)) for command, expected, n in commands])
            for block, commands in queued
        ]


def queue(sandbox, block):
    """Queues the commands of one block: yields (command, expected output or None, number)."""
    if block.kind == "console":
        for command, expected in commands_of(block):
            yield command, expected, sandbox.add(command, strict=False)
    elif block.kind == "sh" and block.mark in ("", "install"):
        yield block.text, None, sandbox.add(block.text, strict=True)
    elif block.kind == "toml":
        option = {"": "", "site": " --site"}[block.mark]
        command = f"printf %s {shlex.quote(block.text)} | ration check{option} -"
        yield command, None, sandbox.add(command, strict=True)
    elif block.kind == "sh" and block.mark not in NOT_RUN:
        raise ValueError(f"{block.place}: unknown mark {block.mark!r}")
    elif block.kind not in ("sh", "text", "c", "cpp"):
        raise ValueError(f"{block.place}: unknown kind of block {block.kind!r}")


class Docs(unittest.TestCase):
    def test_every_command(self):
        why = missing_namespaces()
        if why:
            self.skipTest(why)
        for block, commands in itertools.chain.from_iterable(map(run_document, DOCUMENTS)):
            if block.kind == "sh" and block.mark in NOT_RUN:
                print(f"{block.place}: not run: {NOT_RUN[block.mark]}")
            for command, expected, status, printed in commands:
                with self.subTest(place=block.place, command=command):
                    if expected is None:
                        self.assertEqual(status, 0, printed)
                    elif not alike(expected, printed):
                        self.assertEqual(expected, printed)

    def test_mentioned_options(self):
        """`ration COMMAND --option` in running text: such a command and such options exist."""
        for document in MENTIONS:
            text = re.sub(r"(?ms)^```.*?^```$", "", (SOURCE / document).read_text())
            for mention in re.findall(r"`ration ([a-z][^`]*)`", text):
                words = mention.split(" -- ")[0].split()
                command = [word for word in words[:2] if re.fullmatch("[a-z]+", word)]
                help_text = subprocess.run(
                    [BUILD / "ration", *command, "--help"], capture_output=True, text=True
                ).stdout
                with self.subTest(document=document, mention=mention):
                    self.assertIn("Usage: ration " + command[0], help_text)
                    for option in (word for word in words if word.startswith("-")):
                        self.assertRegex(help_text, rf"(?m)(\s|,){re.escape(option)}\b")

    def test_links(self):
        """Links between the documents lead somewhere."""
        folders = [path for path in SOURCE.iterdir() if path.name not in NO_DOCUMENTS]
        documents = [*SOURCE.glob("*.md"), *(file for each in folders for file in each.rglob("*.md"))]
        self.assertGreater(len(documents), len(MENTIONS))
        for document in documents:
            for target in re.findall(r"\]\((?!https?:)([^)#:]+)[^)]*\)", document.read_text()):
                path = document.parent / target
                self.assertTrue(path.exists(), f"{document}: no {target}")


def update():
    """Rewrites what console blocks show, unless it is alike already."""
    for document in DOCUMENTS:
        lines = (SOURCE / document).read_text().splitlines()
        for block, commands in reversed(run_document(document)):
            if block.kind != "console":
                continue
            shown = "".join(
                f"$ {command}\n{expected if alike(expected, printed) else printed}"
                for command, expected, _, printed in commands
            )
            length = len(block.text.splitlines())
            lines[block.line : block.line + length] = shown.splitlines()
        (SOURCE / document).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    BUILD, SOURCE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    if "--update" in sys.argv:
        update()
    else:
        unittest.main(argv=sys.argv[:1])
