"""What `cmake --install` of the release preset puts where, and that it can be taken away again.

The release artefacts are checked as files too (tests/objects), because they are what runs on other
machines. Arguments: build folder, source folder.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

BUILD, SOURCE = pathlib.Path(), pathlib.Path()
TARGETS = ["ration_preload", "ration_engine", "ration_cli"]
BUILD_LIMIT_S = 1400


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr}")
    return done.stdout


def cache(name):
    for line in (BUILD / "CMakeCache.txt").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split("=", 1)[1]
    return ""


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Where quickstart builds it too, so that most often nothing is left to do.
        cls.release = SOURCE / "build/release"
        include = cache("RATION_CUDA_INCLUDE")
        run("cmake", "--preset", "release", *([f"-DRATION_CUDA_INCLUDE={include}"] if include else []),
            cwd=SOURCE)
        run("cmake", "--build", cls.release, "--target", *TARGETS, timeout=BUILD_LIMIT_S)
        cls.folder = tempfile.TemporaryDirectory()
        cls.prefix = pathlib.Path(cls.folder.name) / "prefix"
        run("cmake", "--install", cls.release, "--prefix", cls.prefix)
        triplet = run(cache("CMAKE_CXX_COMPILER"), "-print-multiarch").strip()
        cls.libraries = cls.prefix / "lib" / triplet / "ration"

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def files(self):
        return {str(path.relative_to(self.prefix))
                for path in self.prefix.rglob("*") if not path.is_dir()}

    def test_everything_is_where_its_users_look(self):
        relative = self.libraries.relative_to(self.prefix)
        expected = {
            "bin/ration",
            f"{relative}/libration.so",
            f"{relative}/libration-engine.so",
            "lib/tmpfiles.d/ration.conf",
            "lib/systemd/system/ration-mps.service",
            "share/ration/examples/quarter.toml",
            "share/ration/policy.schema.json",
            "share/man/man1/ration.1",
            "share/man/man1/ration-env.1",
            "share/man/man1/ration-run.1",
            "share/man/man5/ration-policy.5",
            "share/bash-completion/completions/ration",
        }
        self.assertLessEqual(expected, self.files())

    def test_nothing_lies_elsewhere(self):
        homes = ("bin/ration", "lib/tmpfiles.d/ration.conf", "lib/systemd/system/ration", "share/ration/",
                 "share/man/man1/ration", "share/man/man5/ration", "share/bash-completion/completions/ration",
                 str(self.libraries.relative_to(self.prefix)) + "/")
        self.assertEqual([file for file in self.files() if not file.startswith(homes)], [])

    def test_no_path_of_the_build_machine_remains(self):
        words = [str(SOURCE).encode(), str(self.release).encode()]
        found = [file for file in self.files()
                 if any(word in (self.prefix / file).read_bytes() for word in words)]
        self.assertEqual(found, [])

    def test_the_libraries_are_fit_for_other_machines(self):
        run(sys.executable, "-B", SOURCE / "tests/objects/objects_test.py", self.libraries, SOURCE)

    def test_the_command_names_no_folder_to_load_from(self):
        dynamic = run("readelf", "-Wd", self.prefix / "bin/ration")
        self.assertNotIn("RPATH", dynamic)
        self.assertNotIn("RUNPATH", dynamic)

    def test_the_command_starts(self):
        self.assertRegex(run(self.prefix / "bin/ration", "--version"), r"^(ration )?\d+\.\d+\.\d+\n$")

    def test_a_program_without_a_gpu_is_untouched(self):
        environment = {**os.environ, "LD_PRELOAD": str(self.libraries / "libration.so")}
        done = subprocess.run(["sh", "-c", "echo same"], env=environment, capture_output=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"same\n", b""))

    def test_the_runtime_directory_is_made_as_the_library_wants_it(self):
        lines = (self.prefix / "lib/tmpfiles.d/ration.conf").read_text().splitlines()
        self.assertIn("d /run/ration 1777 root root -", lines)
        self.assertIn("d /run/ration/mps 0755 root root -", lines)

    def test_the_manifest_takes_all_away(self):
        other = pathlib.Path(self.folder.name) / "again"
        run("cmake", "--install", self.release, "--prefix", other)
        names = (self.release / "install_manifest.txt").read_text().split("\n")
        for name in filter(None, names):
            os.unlink(name)
        self.assertEqual([path for path in other.rglob("*") if not path.is_dir()], [])
        readme = (SOURCE / "README.md").read_text()
        folders = re.search(r"(?m)^sudo (find /usr/local/.*)$", readme)[1]
        run("sh", "-ec", folders.replace("/usr/local", str(other)))
        self.assertEqual([path for path in other.rglob("*") if "ration" in path.name], [])


if __name__ == "__main__":
    BUILD, SOURCE = (pathlib.Path(argument) for argument in sys.argv[1:3])
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
