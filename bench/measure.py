"""Runs the programs of build/<preset>/bench-bin, bare and with ration by turns, and prints a table.

usage: measure.py BUILD [--driver real] [--only ROW]... [--quick] [--json]
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile

import first_context
from harness import RULES, Bench, Child, output, paired

TOGETHER = 50


def first_calls(bench, environments):
    """CPU time, begin and end of each one's cuInit, in ns. They set out together."""
    callers = [Child(bench, "first_call", environment).ready() for environment in environments]
    for caller in callers:
        caller.go()
    results = []
    for caller in callers:
        code, *times = caller.numbers()
        results.append(times if code == 0 else caller.fail(f"cuInit returned {code}"))
    for caller in callers:
        caller.end()
    return results


def start_up(bench):
    objects = [bench.bin / "empty.so", bench.library]
    text = output([bench.bin / "start_up", bench.times(3000, 20), bench.bin / "idle", *objects],
                  bench.environment())
    columns = [[int(word) / 1000 for word in column]
               for column in zip(*(line.split() for line in text.splitlines()))]
    bare, empty, ration = paired(columns[::2])
    _, empty_cpu, ration_cpu = paired(columns[1::2])
    # Below a microsecond the difference is noise, and so is what is divided by it.
    return {"what": "start-up of a program without a GPU", "unit": "us", "bare": bare,
            "ration": bare + ration, "added": ration,
            "beside": f"an empty object adds {empty:.1f} us; of this CPU time: {empty_cpu:.1f} us, "
                      f"and {ration_cpu:.1f} us with ration",
            "figure": ration / empty if empty > 1 else None, "budget": 1.6, "of": "times an empty object"}


def calls(bench, program, what, budget, confined=None, arguments=()):
    """A function as linked and at its own address, bare and with ration: what the latter adds."""
    def medians(environment):
        text = output([bench.bin / program, *arguments, "--benchmark_format=json",
                       f"--benchmark_min_time={bench.times(0.05, 0.001)}",
                       f"--benchmark_repetitions={bench.times(9, 3)}",
                       "--benchmark_enable_random_interleaving=true",
                       "--benchmark_report_aggregates_only=true"], environment)
        rows = {row["name"]: row for row in json.loads(text)["benchmarks"]}
        if any(row.get("error_occurred") for row in rows.values()):
            sys.exit(f"bench: {program} could not find the function's own address")
        return rows["linked_median"]["cpu_time"], rows["driver_median"]["cpu_time"]

    # Without `confined`, no rule for it: unenforced, but where the engine is needed it is loaded and
    # has decided.
    confined = confined or bench.confined()
    runs = {"bare": [], "ration": []}
    for _ in range(bench.times(5, 1)):
        runs["bare"].append(medians(bench.environment()))
        runs["ration"].append(medians(confined))
    bare, ration = (statistics.median(linked for linked, _ in runs[key]) for key in runs)
    # Less what two addresses of one function differ by anyway.
    added = [statistics.median(linked - own for linked, own in runs[key]) for key in runs]
    return {"what": what, "unit": "ns", "bare": bare, "ration": ration, "added": added[1] - added[0],
            "beside": "", "figure": added[1] - added[0], "budget": budget, "of": "ns more"}


def streams_by_turns(bench, environments):
    """The same program in each environment at once, each making a stream when it is its turn: medians of
    the first and of what the others add, in us."""
    makers = [Child(bench, "hip_stream", environment) for environment in environments]
    for maker in makers:
        maker.ready()
    turns = []
    for turn in range(bench.times(12, 3)):
        row = [0] * len(makers)
        for i in range(len(makers)):
            place = (i + turn) % len(makers)
            makers[place].go()
            row[place] = makers[place].numbers()[0] / 1000
        turns.append(row)
    for maker in makers:
        maker.end()
    # In the first two what is called is called for the first time.
    return paired(list(zip(*turns[2:])))


def hip_stream(bench):
    """Over the simulated kernel driver: what is added is ours and one more of its ioctls."""
    simulated = bench.build / "sim/libsimkfd.so"
    policy_file = bench.folder / "amd.toml"
    policy_file.write_text('schema = 1\n[partition.q]\nshare = "25%"\n[[rule]]\nuse = "partition.q"\n')
    bare = bench.environment(LD_PRELOAD=simulated, SIM_KFD_GPUS="mi210")
    ration = bench.environment(LD_PRELOAD=f"{bench.library}:{simulated}", SIM_KFD_GPUS="mi210",
                               RATION_POLICY=policy_file)
    # Where its memory happens to lie makes one process faster than the next, with ration or without: hence
    # many, and a second one that is bare, to see what that makes.
    rounds = [streams_by_turns(bench, [bare, bare, ration]) for _ in range(bench.times(60, 1))]
    bare, again, added = (statistics.median(column) for column in zip(*rounds))
    return {"what": "hipStreamCreate with a queue", "unit": "us", "bare": bare, "ration": bare + added,
            "added": added,
            "beside": "simulated kernel driver, no AMD hardware; a second bare process differs by "
                      f"{again:.1f} us",
            "figure": added, "budget": 10, "of": "us more"}


def first_call(bench):
    by_hand = bench.environment(CUDA_MPS_PIPE_DIRECTORY=bench.pipe, CUDA_MPS_ACTIVE_THREAD_PERCENTAGE=25,
                                CUDA_MPS_PINNED_DEVICE_MEM_LIMIT="0=10240M")
    environments = [bench.environment(), by_hand, bench.confined()]
    rounds = []
    for _ in range(bench.times(100, 2)):
        rounds.append([first_calls(bench, [environment])[0][0] / 1e6 for environment in environments])
    bare, hand, ration = paired(list(zip(*rounds)))
    return {"what": f"first GPU call, CPU time ({RULES} rules)", "unit": "ms", "bare": bare,
            "ration": bare + ration, "added": ration,
            "beside": f"the same share set by hand adds {hand:.2f} ms", "figure": ration, "budget": 2,
            "of": "ms more"}


def late_call(bench):
    """Copies of an empty object: two paths to one file would be one object."""
    objects = [bench.folder / f"object-{number}.so" for number in range(bench.times(250, 10))]
    for copy in objects:
        shutil.copy(bench.bin / "empty.so", copy)
    environments = [bench.environment(), bench.confined_to("quarter", *first_context.SHARE)]
    rounds = [[int(output([bench.bin / "late_call", *objects], environment)) / 1e6
               for environment in environments] for _ in range(bench.times(40, 2))]
    bare, added = paired(list(zip(*rounds)))
    return {"what": f"first GPU call behind {len(objects)} objects", "unit": "ms", "bare": bare,
            "ration": bare + added, "added": added, "beside": "", "figure": added, "budget": 2,
            "of": "ms more"}


def half_the_sms(bench, *more):
    return bench.confined_to("half", 'share = "50%"', 'mechanism = "green"', *more)


def dormant_launch(bench):
    return calls(bench, "stream_call", "launch in a part of the SMs, dormant", 5, half_the_sms(bench))


def ordered_launch(bench):
    return calls(bench, "stream_call", "launch, blocking streams in use", 40, half_the_sms(bench),
                 ["blocking"])


def own_stream_launch(bench):
    return calls(bench, "stream_call", "launch, per-thread default stream", 40, half_the_sms(bench),
                 ["ptsz"])


def allocation(bench):
    """The simulated driver takes 3 us for these, and differs by more than ration adds from one second to the
    next: hence by turns of 0.1 ms in one process, and the median of what a round differs by. Processes differ
    less; a bare one says by how much."""
    environments = {"bare": bench.environment(),
                    "ration": half_the_sms(bench, 'memory = "10GiB"')}
    runs = {"bare": [], "ration": []}
    for _ in range(bench.times(9, 2)):
        for kind, environment in environments.items():
            text = output([bench.bin / "allocation_call", bench.times(1000, 10)], environment)
            runs[kind].append([float(word) for word in text.split()])
    linked = {kind: statistics.median(run[0] for run in found) for kind, found in runs.items()}
    added = {kind: sorted(run[3] for run in found) for kind, found in runs.items()}
    figure = statistics.median(added["ration"]) - statistics.median(added["bare"])
    return {"what": "cuMemAlloc and cuMemFree, quota", "unit": "ns", "bare": linked["bare"],
            "ration": linked["ration"], "added": figure,
            "beside": f"{len(added['ration'])} processes: {added['ration'][0]:.0f} to "
                      f"{added['ration'][-1]:.0f} ns; bare ones {added['bare'][0]:.0f} to "
                      f"{added['bare'][-1]:.0f} ns",
            "figure": figure, "budget": 150, "of": "ns more"}


def launch_on_a_real_driver(bench):
    """bench-bin/launch alternates the two addresses by itself; a second process is laid out differently."""
    environment = bench.confined_to("quarter", *first_context.SHARE)
    runs = [json.loads(output([bench.bin / "launch", "--json", *(["3"] if bench.quick else [])], each))
            for each in [bench.environment(), environment] * bench.times(3, 1)]
    control, confined = runs[::2], runs[1::2]
    if not all(run["hooked"] for run in confined):
        sys.exit("bench: launches go past ration: is the program confined?")
    own, linked, ratio = (statistics.median(run[key] for run in confined)
                          for key in ("own_ns", "linked_ns", "ratio"))
    return {"what": "launch in a part of the SMs, dormant", "unit": "ns", "bare": own, "ration": linked,
            "added": linked - own,
            "beside": "the driver's own address, and as linked, in one process: "
                      f"{', '.join(str(run['ratio']) for run in confined)}; in bare processes "
                      f"{', '.join(str(run['ratio']) for run in control)}",
            "figure": ratio, "budget": 1.01, "of": "times the driver's own"}


def together(bench):
    def at_once(environment):
        """Wall time from the first begin to the last end, and the CPU time of all, in ms."""
        cpu, begin, end = zip(*first_calls(bench, [environment] * TOGETHER))
        return (max(end) - min(begin)) / 1e6, sum(cpu) / 1e6

    rounds = [(*at_once(bench.environment()), *at_once(bench.confined()))
              for _ in range(bench.times(7, 1))]
    bare, _, ration, cpu = (statistics.median(column) for column in zip(*rounds))
    cores = len(os.sched_getaffinity(0))
    ideal = bench.row("first-call")["ration"] * TOGETHER / cores
    return {"what": f"{TOGETHER} first calls at once", "unit": "ms", "bare": bare, "ration": ration,
            "added": ration - bare,
            "beside": f"CPU time of one x {TOGETHER} / {cores} cores: {ideal:.1f} ms; "
                      f"CPU time of all {TOGETHER}: {cpu:.1f} ms",
            "figure": ration / ideal, "budget": 2, "of": "times that"}


def linked_call(bench):
    return calls(bench, "linked_call", "linked driver call, unenforced", 2)


def ioctl_call(bench):
    return calls(bench, "ioctl_call", "ioctl that is not KFD's", 5)


ROWS = {"start-up": start_up, "linked-call": linked_call, "first-call": first_call, "late-call": late_call,
        "together": together, "first-context": first_context.time_row,
        "first-context-memory": first_context.memory_row, "launch": dormant_launch,
        "ordered-launch": ordered_launch, "own-stream-launch": own_stream_launch, "allocation": allocation,
        "ioctl": ioctl_call, "hip-stream": hip_stream}
REAL_ROWS = {"first-context": first_context.time_row, "first-context-memory": first_context.memory_row,
             "launch": launch_on_a_real_driver}


def table(rows):
    yield f"{'':40} {'bare':>10} {'ration':>10} {'added':>10}   {'figure':>6}  budget"
    for row in rows:
        values = " ".join(f"{row[key]:7.1f} {row['unit']}" for key in ("bare", "ration", "added"))
        verdict = {True: "pass", False: "OVER", None: "not measurable, too noisy"}[row["pass"]]
        figure = "" if row["figure"] is None else f"{row['figure']:.2f}"
        yield f"{row['what']:40} {values}   {figure:>6}  {row['budget']} {row['of']}: {verdict}"
        yield from (f"    {line}" for line in row["beside"].splitlines())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--driver", choices=("simulated", "real"), default="simulated")
    parser.add_argument("--only", action="append", choices=ROWS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    real = arguments.driver == "real"
    rows = REAL_ROWS if real else ROWS
    for name in arguments.only or []:
        if name not in rows:
            sys.exit(f"bench: {name} is not measured on a real driver; these are: {', '.join(rows)}")
    with tempfile.TemporaryDirectory(prefix="ration-bench-") as folder:
        bench = Bench(arguments.build.resolve(), pathlib.Path(folder), rows, arguments.quick, real)
        names = arguments.only or list(rows)
        if not (bench.bin / "hip_stream").exists():
            names = [name for name in names if name != "hip-stream"]
        if not names:
            sys.exit("bench: hip-stream needs ROCm: see the line \"AMD tests\" of cmake")
        with bench.daemon():
            measured = [bench.row(name) for name in names]
    for row in measured:
        row["pass"] = None if row["figure"] is None else row["figure"] <= row["budget"]
    load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    if arguments.json:
        print(json.dumps({"cores": cores, "load": load, "rows": measured}, indent=2))
    else:
        print("\n".join(table(measured)))
        if load > cores:
            print(f"the machine was busy (load {load:.1f} on {cores} cores): run it again when it "
                  "is idle")
    over = any(row["pass"] is False for row in measured)
    return 1 if over and not arguments.quick else 0


if __name__ == "__main__":
    sys.exit(main())
