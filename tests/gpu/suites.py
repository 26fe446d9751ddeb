#!/usr/bin/env python3
"""Runs other projects' test suites bare and inside an SM subset, and compares test by test.

usage: tests/gpu/suites.py [OPTION]... SUITE...

SUITE is a file or folder of pytest tests, or a package that contains them. Each test file is run by a pytest
of its own, first bare, then by LD_PRELOAD under a policy whose partition is `mechanism = "green"` with
`share = "25%"` (or the lines of --policy), some files at a time. The bare runs preload libm, since some tests
ask whether LD_PRELOAD is set at all. A file with a difference is run again, both ways and alone, since some
tests ask how much memory is free or how long something takes: what is still different then counts.

    tests/gpu/suites.py --per-file 12 cupy-14.2.0/tests/cupy_tests
    tests/gpu/suites.py numba.cuda.tests

Exit status: 0 if at least --least tests passed both ways, none differs and processes of the suite were granted
a share, 1 otherwise, 77 without pytest.
"""
import argparse
import collections
import concurrent.futures
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as xml

from whole import HERE, SKIPPED, Run


def test_files(suite):
    """The test files of a path or of a package's folder."""
    place = pathlib.Path(suite)
    if not place.exists():
        spec = importlib.util.find_spec(suite)
        if spec is None:
            sys.exit(f"suites: {suite} is neither a path nor a package: name a folder with test_*.py in it")
        place = pathlib.Path(spec.origin).parent
    return sorted(place.rglob("test_*.py")) if place.is_dir() else [place]


def outcome(case):
    for kind in ("failure", "error", "skipped"):
        found = case.find(kind)
        if found is not None:
            # What an import failed with stands in the text alone, on its first line that begins with E.
            why = [line[2:].strip() for line in (found.text or "").splitlines() if line.startswith("E ")]
            return kind, why[:1] or (found.get("message") or "").splitlines()[:1]
    return "passed", []


class Suite:
    """Test files of a suite, each run bare and confined."""

    def __init__(self, run, options):
        self.run = run
        self.options = options
        self.policy = run.policy("suite", options.policy)
        self.end = time.monotonic() + options.seconds
        self.said = set()
        self.turn = threading.Lock()
        self.number = 0

    def tests(self, file, extra):
        """What became of each test of a file, by its name; None if it did not end in time."""
        with self.turn:
            self.number += 1
            work = self.run.work / str(self.number)
        work.mkdir()
        report = work / "report.xml"
        # By namespaces too: Numba's tests lie in numba_cuda/numba, a folder that is no package.
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "suite_plugin",
                   "-o", "consider_namespace_packages=true", f"--per-file={self.options.per_file}",
                   f"--junitxml={report}", f"--basetemp={work}/tmp", file]
        path = os.pathsep.join([str(HERE / "programs"), self.run.environment.get("PYTHONPATH", "")])
        environment = dict(self.run.environment, PYTHONPATH=path, **extra)
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment,
                                  timeout=self.options.limit, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return None
        self.said.update(line for line in done.stderr.splitlines() if line.startswith("ration:"))
        if not report.exists():  # the interpreter itself ended
            return {f"{file.stem}::(ended by {done.returncode})": ("error", done.stderr.splitlines()[-1:])}
        return {f"{case.get('classname')}::{case.get('name')}": outcome(case)
                for case in xml.parse(report).getroot().iter("testcase")}

    def compare(self, file):
        """Bare and confined outcomes of a file; None where there is no time left or the bare run took too long."""
        if time.monotonic() > self.end:
            return None
        bare = self.tests(file, {"LD_PRELOAD": "libm.so.6"})
        if bare is None:
            return None
        return bare, self.tests(file, self.policy)

    def run_all(self, files):
        """Results by file; prints a line for each."""
        results = {}
        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            waiting = {pool.submit(self.compare, file): file for file in files}
            for i, done in enumerate(concurrent.futures.as_completed(waiting), 1):
                file = waiting[done]
                results[file] = done.result()
                print(f"[{i}/{len(files)}] {file.parent.name}/{file.name}: {summary(results[file])}", flush=True)
        return results


def summary(result):
    if result is None:
        return "left out: no time"
    bare, confined = result
    counts = dict(collections.Counter(kind for kind, _ in bare.values()))
    odd = different(result)
    return f"{json.dumps(counts)}" + (f", {len(odd)} differ" if odd else "") \
        + (", confined not in time" if confined is None else "")


def different(result):
    bare, confined = result
    confined = confined or {}
    return sorted(name for name in {*bare, *confined}
                  if bare.get(name, ("absent",))[0] != confined.get(name, ("absent",))[0])


def settle(suite, results):
    """Runs again what differed, alone; prints and counts what still differs."""
    count = 0
    for file in [file for file, result in results.items() if result and different(result)]:
        before = different(results[file])
        suite.end = float("inf")
        again = suite.compare(file)
        if again is not None:
            results[file] = again
        odd = different(results[file])
        for name in before:
            if name not in odd:
                print(f"equal alone  {name}")
        bare, confined = results[file]
        for name in odd:
            print(f"differs      {name}: bare {bare.get(name)}, confined {(confined or {}).get(name)}")
        count += len(odd)
    return count


def granted(run):
    """How many processes of the runs say that they were granted a share."""
    told = subprocess.run([run.build / "ration", "ps", "--recent", "--json"], env=run.environment,
                          capture_output=True, text=True, check=False).stdout
    return sum(bool(record["granted"]) for record in json.loads(told or "{}").get("records", []))


def options_of(arguments):
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    parser.add_argument("--build", type=pathlib.Path, default="build/release")
    parser.add_argument("--policy", default='mechanism = "green"\nshare = "25%"', help="lines of the partition")
    parser.add_argument("--per-file", type=int, default=0,
                        help="tests of a file, evenly chosen (default 0: all of them)")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) - 2), help="files at a time")
    parser.add_argument("--limit", type=float, default=180, help="seconds for one run of a file (default 180)")
    parser.add_argument("--seconds", type=float, default=1800,
                        help="begin no other file after so many seconds (default 1800)")
    parser.add_argument("--least", type=int, default=1000, help="fewer that pass are a failure (default 1000)")
    parser.add_argument("suites", nargs="+", metavar="SUITE")
    return parser.parse_args(arguments)


def main():
    options = options_of(None)
    if importlib.util.find_spec("pytest") is None:
        print("nothing was tested: no pytest")
        return SKIPPED
    if not (options.build / "libration.so").exists():
        sys.exit(f"suites: {options.build} has no libration.so: name a build folder with --build")
    with tempfile.TemporaryDirectory(prefix="ration-suites-", ignore_cleanup_errors=True) as folder:
        suite = Suite(Run(options.build.resolve(), pathlib.Path(folder)), options)
        start = time.monotonic()
        results = suite.run_all([file for name in options.suites for file in test_files(name)])
        odd = settle(suite, results)
        done = [result for result in results.values() if result]
        counts = collections.Counter(kind for bare, _ in done for kind, _ in bare.values())
        passed = sum(kind == "passed" for bare, confined in done for kind, _ in (confined or {}).values())
        confined = granted(suite.run)
        for line in sorted(suite.said):
            print(line)
        why = collections.Counter(text[0][:150] for bare, _ in done for kind, text in bare.values()
                                  if text and kind in ("failure", "error"))
        for text, times in why.most_common(5):
            print(f"bare, {times} times: {text}")
    print(f"{sum(counts.values())} tests in {len(done)} files, bare {json.dumps(dict(counts))}, "
          f"{odd} differ confined, {len(results) - len(done)} files left out, {time.monotonic() - start:.0f} s; "
          f"processes granted a share: {confined}")
    return 1 if odd or passed < options.least or not confined else 0


if __name__ == "__main__":
    sys.exit(main())
