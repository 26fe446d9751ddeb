"""Checks of apps.py: sanitizer and profilers attached to a confined program, beside the same bare."""
import collections
import csv
import glob
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sysconfig

from answers import differing, groups_of, rules, shown, sms
from whole import HERE, built

QUARTER = 'mechanism = "green"\nshare = "25%"'


def roots():
    """Where a CUDA toolkit may lie."""
    candidates = [os.environ.get("CUDA_HOME", ""), "/usr/local/cuda", "/opt/cuda",
                  pathlib.Path(shutil.which("nvcc")).resolve().parent.parent,
                  *glob.glob(sysconfig.get_path("purelib") + "/nvidia/cu*"),
                  sysconfig.get_path("purelib") + "/nvidia/cuda_cupti"]
    return [pathlib.Path(root) for root in candidates if root and pathlib.Path(root).is_dir()]


def tool(name):
    places = [shutil.which(name),
              *(root / part / name for root in roots() for part in ("bin", "compute-sanitizer")),
              *sorted(glob.glob(f"/opt/nvidia/nsight-compute/*/{name}"))]
    return next((str(place) for place in places if place and os.access(place, os.X_OK)), None)


def confined_on(bare, confined):
    """Whether the program itself ran on the whole GPU, and on a quarter of it."""
    total = max([0, *sms(bare).values()])
    return (total > 0 and set(sms(bare).values()) == {total}
            and set(sms(confined).values()) == {groups_of(25, total)})


def sanitizer(run):
    found = tool("compute-sanitizer")
    if found is None:
        run.skipped("compute-sanitizer", "not found on PATH or in a toolkit")
        return
    program = built(run, "tools.cu", "-lineinfo")
    policy = run.policy("sanitizer", QUARTER)
    for check, mode, finds in (("memcheck", "clean", False), ("memcheck", "outside", True),
                               ("racecheck", "clean", False), ("racecheck", "race", True)):
        what = f"compute-sanitizer {check}, {mode}"
        command = [found, "--tool", check, "--error-exitcode", "9", program, mode]
        first, bare, _ = run.execute(command, seconds=60)
        done, confined, said = run.execute(command, policy, 60)
        texts = [re.findall(r"^=+ (.*(?:SUMMARY|Invalid|Race|Program hit).*)$", one.stdout, re.MULTILINE)
                 for one in (first, done)]
        if not texts[0]:
            run.skipped(what, f"it does not run bare: {(first.stdout + first.stderr)[-300:]}")
            continue
        run.report(what, first.returncode == done.returncode == (9 if finds else 0) and texts[0] == texts[1]
                   and not differing(bare, confined) and confined_on(bare, confined) and not said,
                   f"exits {first.returncode} and {done.returncode}, {json.dumps(confined)} {texts[1]}"
                   + (f" bare {texts[0]}" if texts[0] != texts[1] else "") + "".join(said))


def kernels_of(text):
    """How often each kernel stands in ncu's table."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), None)
    if start is None:
        return collections.Counter()
    rows = list(csv.DictReader(io.StringIO("\n".join(lines[start:]))))
    return collections.Counter(row["Kernel Name"] for row in rows if row["ID"])


def nsight_compute(run, program, policy):
    found = tool("ncu")
    if found is None:
        run.skipped("ncu", "not found on PATH or in a toolkit")
        return
    command = [found, "--csv", "--page", "raw", "--clock-control", "none", "--metrics",
               "gpu__time_duration.sum,sm__cycles_active.sum", program, "clean"]
    first, bare, _ = run.execute(command, seconds=90)
    done, confined, said = run.execute(command, policy, 90)
    counts = [kernels_of(one.stdout) for one in (first, done)]
    if not counts[0]:
        run.skipped("ncu", f"it does not run bare: {(first.stdout + first.stderr)[-300:]}")
        return
    same = counts[0] == counts[1]
    run.report("ncu sees the same kernels", same and not differing(bare, confined)
               and confined_on(bare, confined) and not said,
               f"{dict(counts[1])}, {json.dumps(confined)}"
               + ("" if same else f" bare {dict(counts[0])} {done.stdout[-300:]}") + "".join(said))


def tracer(run):
    """trace.cpp, built against the CUPTI that is found; None if there is none."""
    for root in roots():
        headers = [folder for folder in (root / "include", root / "extras/CUPTI/include")
                   if (folder / "cupti.h").exists()]
        libraries = [library for folder in ("lib64", "lib", "extras/CUPTI/lib64")
                     for library in sorted((root / folder).glob("libcupti.so*"))]
        if not headers or not libraries:
            continue
        target = run.work / "libtrace.so"
        done = subprocess.run(["nvcc", "-std=c++20", "-shared", "-cudart", "none", "-Xcompiler", "-fPIC",
                               f"-I{headers[0]}", "-o", target, HERE / "programs/trace.cpp", libraries[0],
                               "-Xlinker", f"-rpath={libraries[0].parent}"],
                              capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return target
        print(f"        {root}: {done.stderr[-300:]}")
    return None


def cupti(run, program, policy):
    library = tracer(run)
    if library is None:
        run.skipped("CUPTI", "no cupti.h with its library that a tracer could be built against")
        return
    counts, results, errors = [], [], ""
    for name, extra in (("bare", {}), ("confined", policy)):
        path = run.work / f"trace-{name}.json"
        done, result, said = run.execute([program, "clean"], {
            **extra, "CUDA_INJECTION64_PATH": str(library), "TRACE_TO": str(path)}, 60)
        results.append(result)
        counts.append(json.loads(path.read_text()) if path.exists() else {})
        errors += done.stderr[-300:]
    odd = differing(*counts)
    kernels = {key: value for key, value in counts[0].items() if key.startswith("kernel ")}
    run.report("CUPTI sees the same kernels, copies and calls", bool(kernels) and not odd
               and not rules(counts[1]).keys() - counts[0].keys() and confined_on(*results),
               f"{json.dumps(kernels)}, {len(counts[1])} counts as bare, {json.dumps(results[1])} "
               f"{shown(odd)}{errors}")


def profilers(run):
    program = built(run, "tools.cu", "-lineinfo")
    policy = run.policy("profilers", QUARTER)
    nsight_compute(run, program, policy)
    cupti(run, program, policy)
