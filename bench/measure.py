"""Runs the programs of build/<preset>/bench-bin, bare and with ration by turns, and prints a table.

usage: measure.py BUILD [--only ROW]... [--quick] [--json]
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

RULES = 100
TOGETHER = 50
LIMIT_S = 120


class Bench:
    """The build under test, the simulated node, and how often things are repeated."""

    def __init__(self, build, folder, quick):
        self.build, self.folder, self.quick = build, folder, quick
        self.bin = build / "bench-bin"
        self.library = build / "libration.so"
        self.policy = folder / "policy.toml"
        self.policy.write_text(policy(RULES))
        (folder / "runtime").mkdir()
        self.pipe = None
        self.measured = {}

    def row(self, name):
        """A row of the table, measured once."""
        if name not in self.measured:
            self.measured[name] = ROWS[name](self)
        return self.measured[name]

    def times(self, full, quick):
        return quick if self.quick else full

    def environment(self, **more):
        # What the caller has set for CUDA or ration must not colour the runs.
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("CUDA_", "RATION_", "SIM_", "LD_"))}
        return {**kept, "LD_LIBRARY_PATH": str(self.build / "sim"), "SIM_CUDA_GPUS": "h100",
                "PATH": f"{self.build / 'sim/bin'}:{kept.get('PATH', '/usr/bin:/bin')}",
                "RATION_RUNTIME_DIR": str(self.folder / "runtime"),
                **{key: str(value) for key, value in more.items()}}

    def confined(self, policy_file=None):
        return self.environment(LD_PRELOAD=self.library, RATION_POLICY=policy_file or self.policy)

    def confined_to(self, name, *keys):
        """Under a policy of one partition for all, of these keys."""
        file = self.folder / f"{name}.toml"
        file.write_text("schema = 1\n[partition.it]\n" + "\n".join(keys) +
                        '\n[[rule]]\nuse = "partition.it"\n')
        return self.confined(file)

    def ration(self, *arguments):
        return output([self.build / "ration", *arguments], self.environment())

    @contextlib.contextmanager
    def daemon(self):
        """A simulated MPS daemon."""
        self.ration("mps", "ensure")
        try:
            self.pipe = next(self.folder.glob("runtime/u*/mps/pipe"))
            yield
        finally:
            self.ration("mps", "stop")


def output(command, environment):
    done = subprocess.run([str(word) for word in command], env=environment, capture_output=True,
                          text=True, timeout=LIMIT_S, check=False)
    if done.returncode != 0:
        sys.exit(f"bench: {command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


# Groups that exist wherever this runs, as those of a site's policy do.
GROUPS = ["audio", "video", "cdrom", "games", "users", "mail", "news", "proxy", "backup", "tape", "tty",
          "disk"]


def policy(rules):
    """A site's policy: the last of its rules matches, the others ask about everything that rules can."""
    keys = ['exe = "/opt/site/app-{}/bin/*"', 'argv = "*--experiment={} *"', 'user = ["user{}", "guest{}"]',
            'env = {{ PROJECT = "project-{}-*", SLURM_JOB_ID = "*" }}', 'cgroup = "*/job_{}/*"',
            'host = "node{}-*"', 'exe = "*/python3*"\nscript = "*/train_{}.py"', 'group = "{group}"']
    text = 'schema = 1\n\n[partition.quarter]\nshare = "25%"\nmemory = "10GiB"\n'
    for number in range(rules - 1):
        key = keys[number % len(keys)].format(
            number, number, group=GROUPS[number // len(keys) % len(GROUPS)])
        text += f'\n[[rule]]\n{key}\nuse = "partition.quarter"\n'
    return text + '\n[[rule]]\nexe = "*/first_call"\nuse = "partition.quarter"\n'


class Child:
    """A program that says when it is ready, and writes a line of numbers for each byte that it gets."""

    def __init__(self, bench, program, environment):
        self.program = program
        self.process = subprocess.Popen([bench.bin / program], env=environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def ready(self):
        return self if self.process.stdout.readline() else self.fail("it did not begin")

    def go(self):
        self.process.stdin.write("g")
        self.process.stdin.flush()

    def numbers(self):
        line = self.process.stdout.readline()
        return [int(word) for word in line.split()] if line else self.fail("it ended")

    def fail(self, what):
        sys.exit(f"bench: {self.program}: {what}: {self.end().strip()}")

    def end(self):
        """What it wrote to stderr."""
        return self.process.communicate(timeout=LIMIT_S)[1]


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


def paired(columns):
    """Medians of the first column and of what the others add to it. Pairs of one round: what else the
    machine does changes from one second to the next."""
    base, *others = columns
    return [statistics.median(base),
            *(statistics.median(b - a for a, b in zip(base, other)) for other in others)]


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


def first_context(bench):
    """What is added to the first context, beside cuInit. The simulated driver's own part is small."""
    bare, ration = [], []
    for _ in range(bench.times(40, 2)):
        for runs, environment in ((bare, bench.environment()), (ration, half_the_sms(bench))):
            text = output([bench.bin / "first_context"], environment)
            runs.append([int(word) / 1e6 for word in text.split()])
    cpu, wall, resident = (paired([one, two]) for one, two in zip(list(zip(*bare))[:3], zip(*ration)))
    return {"what": "first context in a part of the SMs", "unit": "ms", "bare": wall[0],
            "ration": sum(wall), "added": wall[1],
            "beside": f"of this CPU time: {cpu[1]:.2f} ms; {resident[1]:.1f} MB more are resident",
            "figure": wall[1], "budget": 5, "of": "ms more"}


def half_the_sms(bench, *more):
    return bench.confined_to("half", 'share = "50%"', 'mechanism = "green"', *more)


def dormant_launch(bench):
    return calls(bench, "stream_call", "launch in a part of the SMs, dormant", 5, half_the_sms(bench))


def ordered_launch(bench):
    return calls(bench, "stream_call", "launch, blocking streams in use", 40, half_the_sms(bench),
                 ["blocking"])


def allocation(bench):
    return calls(bench, "allocation_call", "cuMemAlloc and cuMemFree, quota", 150,
                 half_the_sms(bench, 'memory = "10GiB"'))


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


ROWS = {"start-up": start_up, "linked-call": linked_call, "first-call": first_call, "together": together,
        "first-context": first_context, "launch": dormant_launch, "ordered-launch": ordered_launch,
        "allocation": allocation, "ioctl": ioctl_call, "hip-stream": hip_stream}


def table(rows):
    yield f"{'':40} {'bare':>10} {'ration':>10} {'added':>10}   {'figure':>6}  budget"
    for row in rows:
        values = " ".join(f"{row[key]:7.1f} {row['unit']}" for key in ("bare", "ration", "added"))
        verdict = {True: "pass", False: "OVER", None: "not measurable, too noisy"}[row["pass"]]
        figure = "" if row["figure"] is None else f"{row['figure']:.2f}"
        yield f"{row['what']:40} {values}   {figure:>6}  {row['budget']} {row['of']}: {verdict}"
        if row["beside"]:
            yield f"    {row['beside']}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--only", action="append", choices=ROWS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ration-bench-") as folder:
        bench = Bench(arguments.build.resolve(), pathlib.Path(folder), arguments.quick)
        names = arguments.only or list(ROWS)
        if not (bench.bin / "hip_stream").exists():
            names = [name for name in names if name != "hip-stream"]
        if not names:
            sys.exit("bench: hip-stream needs ROCm: see the line \"AMD tests\" of cmake")
        with bench.daemon():
            rows = [bench.row(name) for name in names]
    for row in rows:
        row["pass"] = None if row["figure"] is None else row["figure"] <= row["budget"]
    load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    if arguments.json:
        print(json.dumps({"cores": cores, "load": load, "rows": rows}, indent=2))
    else:
        print("\n".join(table(rows)))
        if load > cores:
            print(f"the machine was busy (load {load:.1f} on {cores} cores): run it again when it "
                  "is idle")
    over = any(row["pass"] is False for row in rows)
    return 1 if over and not arguments.quick else 0


if __name__ == "__main__":
    sys.exit(main())
