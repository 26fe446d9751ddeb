#!/usr/bin/env python3
"""Runs other projects' test suites bare and inside an SM subset, and compares test by test.

usage: tests/gpu/suites.py [--build BUILD] [--policy TOML] -- PYTEST_ARGUMENT...

Runs `python3 -m pytest PYTEST_ARGUMENT...` twice, the second time by LD_PRELOAD under a policy whose partition
is `mechanism = "green"` with `share = "25%"` (or the lines given), and compares what became of each test.
Exit status: 0 if at least 1,000 tests ran and none differs, 1 otherwise, 77 without pytest.

    tests/gpu/suites.py -- cupy-14.2.0/tests/cupy_tests/cuda_tests
    tests/gpu/suites.py -- --pyargs numba.cuda.tests
"""
import argparse
import collections
import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml

from whole import SKIPPED, Run

LEAST = 1000
LIMIT_S = 1800


def outcome(case):
    for kind in ("failure", "error", "skipped"):
        found = case.find(kind)
        if found is not None:
            return kind, (found.get("message") or "").splitlines()[0:1]
    return "passed", []


def run_suite(run, arguments, policy, label):
    """What became of each test, by its name."""
    report = run.work / f"{label}.xml"
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                           f"--junitxml={report}", *arguments], capture_output=True, text=True,
                          timeout=LIMIT_S, check=False, env=dict(run.environment, **policy))
    if not report.exists():
        sys.exit(f"suites: pytest wrote no report ({label}): {done.stdout[-1500:]}{done.stderr[-500:]}")
    cases = {f"{case.get('classname')}::{case.get('name')}": outcome(case)
             for case in xml.parse(report).getroot().iter("testcase")}
    counts = collections.Counter(kind for kind, _ in cases.values())
    print(f"{label:<10} {len(cases)} tests in {time.monotonic() - start:.0f} s: {dict(counts)}", flush=True)
    for line in sorted({line for line in done.stderr.splitlines() if line.startswith("ration:")}):
        print(f"           {line}")
    return cases


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1])
    parser.add_argument("--build", type=pathlib.Path, default="build/release")
    parser.add_argument("--policy", default='mechanism = "green"\nshare = "25%"')
    parser.add_argument("arguments", nargs="+")
    options = parser.parse_args()
    if importlib.util.find_spec("pytest") is None:
        print("nothing was tested: no pytest")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="ration-suites-") as folder:
        run = Run(options.build.resolve(), pathlib.Path(folder))
        policy = run.policy("suite", options.policy)
        bare = run_suite(run, options.arguments, {}, "bare")
        confined = run_suite(run, options.arguments, policy, "confined")
        odd = {name for name in {*bare, *confined}
               if bare.get(name, ("absent",))[0] != confined.get(name, ("absent",))[0]}
        for name in sorted(odd):
            print(f"differs    {name}: bare {bare.get(name)}, confined {confined.get(name)}")
    print(f"{len(bare)} tests, {len(odd)} differ")
    return 1 if odd or len(bare) < LEAST else 0


sys.exit(main())
