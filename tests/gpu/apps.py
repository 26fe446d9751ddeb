#!/usr/bin/env python3
"""Runs what users run on a real NVIDIA GPU inside SM subsets, and compares with bare runs: frameworks,
processes that share memory, sanitizer and profilers, and programs on two GPUs.

usage: tests/gpu/apps.py [BUILD] [--only WHAT]...   BUILD: folder with libration.so (default build/release)

WHAT: pytorch, random, jax, numba, ipc, quota, graphs, sanitizer, profilers, two; all of them unless named.
What the machine lacks is listed as skipped. `random` starts an MPS daemon of its own and stops it. Exit
status: 0 if every line is as the policy says, 1 if one is not, 77 if there is no GPU or no CUDA compiler.
"""
import argparse
import pathlib
import shutil
import sys
import tempfile
import time

import attached
import frameworks
import processes
import several
from whole import SKIPPED, Run, gpus

PARTS = {"pytorch": frameworks.pytorch, "random": frameworks.random, "jax": frameworks.jax,
         "numba": frameworks.numba, "ipc": processes.ipc, "quota": processes.shared_quota,
         "graphs": processes.graph_memory, "sanitizer": attached.sanitizer, "profilers": attached.profilers,
         "two": several.two_gpus}


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    parser.add_argument("build", nargs="?", default="build/release", type=pathlib.Path)
    parser.add_argument("--only", action="append", choices=PARTS)
    arguments = parser.parse_args()
    for lacking, why in ((gpus() == 0, "no GPU that the driver knows"),
                         (shutil.which("nvcc") is None, "no nvcc on PATH")):
        if lacking:
            print(f"nothing was tested: {why}")
            return SKIPPED
    with tempfile.TemporaryDirectory(prefix="ration-apps-") as folder:
        run = Run(arguments.build.resolve(), pathlib.Path(folder))
        for name in arguments.only or PARTS:
            start = time.monotonic()
            print(f"-- {name}", flush=True)
            PARTS[name](run)
            print(f"        {time.monotonic() - start:.0f} s", flush=True)
    print(f"{run.failures} not as the policy says" if run.failures else "all as the policy says")
    return 1 if run.failures else 0


sys.exit(main())
