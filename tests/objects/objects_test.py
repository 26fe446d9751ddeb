#!/usr/bin/env python3
"""What libration.so and libration-engine.so ask of the processes that load them, read from the files.

usage: objects_test.py FOLDER SOURCE [READELF [unittest argument...]]

FOLDER holds both libraries, SOURCE is the top of the source tree. Works on any build and on an
installed folder.
"""

import re
import subprocess
import sys
import unittest
from pathlib import Path

FOLDER = SOURCE = None
READELF = "readelf"
LOADERS = {"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def readelf(path, *options):
    return subprocess.run([READELF, "-W", *options, str(path)], check=True, text=True,
                          capture_output=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}).stdout


class Object:
    """One shared library as readelf shows it."""

    def __init__(self, path):
        self.path = path
        self.dynamic = {}
        for tag, value in re.findall(r"^ 0x\w+ \((\w+)\)\s+(.*)$", readelf(path, "-d"), re.M):
            self.dynamic.setdefault(tag, []).append(value)
        self.segments = re.findall(r"^  ([A-Z_]+) +0x\w+ 0x\w+ 0x\w+ 0x\w+ 0x\w+ ([RWE ]{3})",
                                   readelf(path, "-l"), re.M)
        rows = [line.split() for line in readelf(path, "--dyn-syms").splitlines()]
        self.symbols = [row for row in rows if len(row) >= 8 and re.fullmatch(r"\d+:", row[0])]

    def needed(self):
        return {re.search(r"\[(.*)\]", value)[1] for value in self.dynamic.get("NEEDED", [])}

    def flags(self):
        return " ".join(self.dynamic.get("FLAGS", []) + self.dynamic.get("FLAGS_1", []))

    def exports(self):
        return sorted(row[7].split("@")[0] for row in self.symbols
                      if row[6] != "UND" and row[4] != "LOCAL")

    def versions(self, prefix):
        """What it imports of a library's versioned symbols: {(2, 17): {"memcpy", ...}}."""
        found = {}
        for row in self.symbols:
            match = re.fullmatch(rf"(\w+)@+{prefix}_([\d.]+)", row[7])
            if row[6] == "UND" and match:
                version = tuple(int(part) for part in match[2].split("."))
                found.setdefault(version, set()).add(match[1])
        return found


def hooks(file="shim/preload/hooks.def"):
    """What is to be exported: the names of hooks.def, and dlsym, by which they are looked up."""
    text = (SOURCE / file).read_text()
    names = {"dlsym", *re.findall(r"^[A-Z_]+\((\w+), ", text, re.M)}
    for part in re.findall(r'^#include "(.*)"$', text, re.M):
        names.update(hooks(part))
    return sorted(names)


class Common:
    """Both libraries."""

    def test_stack_is_not_executable(self):
        stack = [flags for name, flags in self.object.segments if name == "GNU_STACK"]
        self.assertEqual(stack, ["RW "])

    def test_has_relro(self):
        self.assertIn("GNU_RELRO", [name for name, _ in self.object.segments])

    def test_no_segment_is_writable_and_executable(self):
        self.assertEqual([row for row in self.object.segments if "W" in row[1] and "E" in row[1]], [])

    def test_no_relocation_in_the_text(self):
        self.assertNotIn("TEXTREL", self.object.dynamic)
        self.assertNotIn("TEXTREL", self.object.flags())

    def test_names_no_folder_to_load_from(self):
        self.assertEqual({"RPATH", "RUNPATH"} & set(self.object.dynamic), set())

    def test_shares_no_symbol_with_another_copy(self):
        self.assertEqual([row[7] for row in self.object.symbols if row[4] == "UNIQUE"], [])

    def test_leaves_libstdcxx_to_the_program(self):
        self.assertEqual(self.object.versions("GLIBCXX"), {})
        self.assertEqual(self.object.versions("CXXABI"), {})
        self.assertEqual(self.object.versions("GCC"), {})

    def test_starts_on_an_old_libc(self):
        newer = {version: names for version, names in self.object.versions("GLIBC").items()
                 if version > self.FLOOR}
        self.assertEqual(newer, {})


class Front(Common, unittest.TestCase):
    """libration.so, which every process loads."""

    FLOOR = (2, 17)

    def setUp(self):
        self.object = Object(FOLDER / "libration.so")

    def test_needs_libc_alone(self):
        self.assertEqual(self.object.needed() - LOADERS, {"libc.so.6"})

    def test_exports_exactly_the_hooks(self):
        self.assertEqual(self.object.exports(), hooks())

    def test_exports_what_the_golden_list_says(self):
        # No program but CUDA's has names like cuInit. Any other may be anybody's.
        golden = Path(__file__).with_name("libration.dynsym.golden").read_text().split()
        others = [name for name in self.object.exports() if not re.match("cu[A-Z]", name)]
        self.assertEqual(others, golden,
                         "a name more is one more that every program gets from us: if that is what "
                         "you want, add it to tests/objects/libration.dynsym.golden")

    def test_exports_carry_no_version(self):
        # An unversioned definition serves versioned and unversioned references alike.
        self.assertEqual([row[7] for row in self.object.symbols if row[6] != "UND" and "@" in row[7]],
                         [])

    def test_runs_nothing_when_it_is_loaded(self):
        tags = {"INIT", "FINI", "INIT_ARRAY", "FINI_ARRAY", "PREINIT_ARRAY"}
        self.assertEqual(tags & set(self.object.dynamic), set())

    def test_has_its_zeroes_in_the_file(self):
        # Others cost every process a page to be cleared, and a mapping where they do not fit into it.
        loads = re.findall(r"^  LOAD +0x\w+ 0x\w+ 0x\w+ (0x\w+) (0x\w+)",
                           readelf(self.object.path, "-l"), re.M)
        self.assertEqual([sizes for sizes in loads if sizes[0] != sizes[1]], [])

    def test_is_mapped_in_two_segments(self):
        # Each one costs every process a system call or two and a page fault.
        self.assertEqual(len([row for row in self.object.segments if row[0] == "LOAD"]), 2)


class Engine(Common, unittest.TestCase):
    """libration-engine.so, which GPU programs load late."""

    FLOOR = (2, 28)

    def setUp(self):
        self.object = Object(FOLDER / "libration-engine.so")

    def test_needs_libc_alone(self):
        self.assertLessEqual(self.object.needed() - LOADERS,
                             {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0"})

    def test_finds_what_an_older_libc_keeps_elsewhere(self):
        # dlsym and pthread_once are in libc.so.6 since glibc 2.34 only.
        self.assertLessEqual({"libdl.so.2", "libpthread.so.0"}, self.object.needed())

    def test_exports_its_entries(self):
        self.assertEqual(self.object.exports(), ["ration_engine_attach", "ration_engine_attach_amd"])

    def test_has_no_thread_local_storage(self):
        # Loaded late, it would get its TLS by malloc at the first access of each thread, in the middle
        # of whatever the program does; and static TLS may have run out.
        self.assertNotIn("TLS", [name for name, _ in self.object.segments])
        self.assertNotIn("STATIC_TLS", self.object.flags())


if __name__ == "__main__":
    FOLDER, SOURCE = Path(sys.argv[1]), Path(sys.argv[2])
    READELF = sys.argv[3] if len(sys.argv) > 3 else READELF
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
