"""What the rows of measure.py run in: the build under test, its environments, its programs."""

import contextlib
import os
import statistics
import subprocess
import sys

RULES = 100
LIMIT_S = 120


class Bench:
    """The build under test, the driver that it runs on, and how often things are repeated."""

    def __init__(self, build, folder, rows, quick=False, real=False):
        self.build, self.folder, self.rows, self.quick, self.real = build, folder, rows, quick, real
        self.bin = build / "bench-bin"
        self.library = build / "libration.so"
        self.policy = folder / "policy.toml"
        self.policy.write_text(policy(RULES))
        (folder / "runtime").mkdir()
        self.pipe = None
        self.measured = {}

    def once(self, name, measure):
        """What several rows are made from."""
        if name not in self.measured:
            self.measured[name] = measure(self)
        return self.measured[name]

    def row(self, name):
        """A row of the table, measured once."""
        return self.once(name, self.rows[name])

    def times(self, full, quick):
        return quick if self.quick else full

    def environment(self, **more):
        # What the caller has set for CUDA or ration must not colour the runs.
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("CUDA_", "RATION_", "SIM_", "LD_"))}
        return {**kept, **(self.real_driver() if self.real else self.simulated_driver(kept)),
                "RATION_RUNTIME_DIR": str(self.folder / "runtime"),
                **{key: str(value) for key, value in more.items()}}

    def simulated_driver(self, kept):
        return {"LD_LIBRARY_PATH": str(self.build / "sim"), "SIM_CUDA_GPUS": "h100",
                "PATH": f"{self.build / 'sim/bin'}:{kept.get('PATH', '/usr/bin:/bin')}"}

    def real_driver(self):
        """The one that the loader finds, and the device that the caller has chosen."""
        return {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
                if name in os.environ}

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
        """A simulated MPS daemon. What is measured on a real driver needs none."""
        if self.real:
            yield
            return
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

    def __init__(self, bench, program, environment, *arguments):
        self.program = program
        self.process = subprocess.Popen([bench.bin / program, *arguments], env=environment, text=True,
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


def differences(base, other):
    """Of pairs of one round: what else the machine does changes from one second to the next."""
    return [b - a for a, b in zip(base, other)]


def paired(columns):
    """Medians of the first column and of what the others add to it."""
    base, *others = columns
    return [statistics.median(base), *(statistics.median(differences(base, other)) for other in others)]
