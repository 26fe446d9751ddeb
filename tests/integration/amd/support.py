"""What the tests of AMD programs share: a program of tests/apps/amd or rocminfo, under Debian's own ROCm,
over the simulated kernel driver (tests/sim/kfd), with or without ration, and what reached the kernel.

RATION_ROCM_ROOT may name the root of another system, whose ROCm the programs are to use instead:
tools/test --rocm6 makes one.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unittest

BUILD = pathlib.Path()
LIMIT_S = 60
MODELS = ["mi210", "mi100", "mi300x", "navi21", "navi21xl"]
HIP = ["hip_linked", "hip_dlopened", "hip_kernels"]
ROOT = pathlib.Path(os.environ.get("RATION_ROCM_ROOT", "/"))
OTHER_ROCM = ROOT != pathlib.Path("/")
# ROCr 6 counts what HIP never gives back.
ROCR_SAYS = "Warning: Resource leak detected by SharedSignalPool"


@dataclasses.dataclass
class Queue:
    """A queue as the kernel saw it. `engines`: for each XCC what each shader engine was told."""

    number: int
    gpu: int
    type: str
    priority: int
    masks: list = dataclasses.field(default_factory=list)  # the set_cu_mask events, oldest first
    dispatches: int = 0
    ended: bool = False
    tried: bool = False  # by ration, before HIP works: as short as ROCr's own, which comes first on a GPU

    @property
    def computes(self):
        return self.type in ("aql", "compute")

    @property
    def mask(self):
        """The mask that holds now, as a number; None if none was ever set."""
        return int(self.masks[-1]["mask"], 16) if self.masks else None

    @property
    def cus(self):
        return self.masks[-1]["cus"] if self.masks else None

    @property
    def engines(self):
        return self.masks[-1]["engines"] if self.masks else None


@dataclasses.dataclass
class Run:
    """A program that has ended."""

    code: int
    text: str
    complaints: list  # lines of standard error
    events: list

    @property
    def report(self):
        """The line of JSON that the program printed."""
        return json.loads(self.text)

    @property
    def failed(self):
        return [(call["call"], call["error"]) for call in self.report["failed"]]

    def of(self, event):
        return [found for found in self.events if found["event"] == event]

    @property
    def gpus(self):
        return self.of("start")[0]["gpus"]

    @property
    def refused(self):
        """What the kernel refused."""
        return self.of("refused")

    @property
    def queues(self):
        """All queues that there ever were, in order; a number may come back."""
        found, live, first = [], {}, {}
        for event in self.events:
            if event["event"] == "create_queue":
                queue = Queue(event["queue"], event["gpu"], event["type"], event["priority"])
                key = event["pid"], event["gpu"]
                queue.tried = event["bytes"] == first.get(key)
                first.setdefault(key, event["bytes"])
                found.append(queue)
                live[event["pid"], queue.number] = queue
            elif event["event"] == "update_queue":
                live[event["pid"], event["queue"]].priority = event["priority"]
            elif event["event"] == "set_cu_mask":
                live[event["pid"], event["queue"]].masks.append(event)
            elif event["event"] == "dispatch":
                live[event["pid"], event["queue"]].dispatches += 1
            elif event["event"] == "destroy_queue":
                live.pop((event["pid"], event["queue"])).ended = True
        return found

    @property
    def compute_queues(self):
        return [queue for queue in self.queues if queue.computes]


class Node(contextlib.AbstractContextManager):
    """A simulated node and a place for the policy, the records and the log."""

    def __init__(self, gpus="mi210", fail="", **variables):
        self.folder = tempfile.TemporaryDirectory(prefix="ration-")
        self.path = pathlib.Path(self.folder.name)
        self.log = self.path / "log"
        self.preload = [BUILD / "sim/libsimkfd.so"]
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "RATION_RUNTIME_DIR": str(self.path / "run"),
            "SIM_KFD_GPUS": gpus,
            "SIM_KFD_LOG": str(self.log),
            **variables,
        }
        if fail:
            self.environment["SIM_KFD_FAIL"] = fail
        if OTHER_ROCM:
            self.link_hip()

    def __exit__(self, *_):
        self.folder.cleanup()

    def link_hip(self):
        """The other system's HIP under the name of the one that the programs were linked with."""
        library = max(ROOT.glob("usr/lib/*/libamdhip64.so.[0-9]"))
        links = self.path / "links"
        links.mkdir()
        (links / "libamdhip64.so.5").symlink_to("/" / library.relative_to(ROOT))
        self.environment["LD_LIBRARY_PATH"] = str(links)
        self.environment["HIP_LIBRARY"] = library.name

    def command(self, environment, program):
        """The program, in the other system if there is one."""
        if not OTHER_ROCM:
            return program
        command = ["bwrap", "--die-with-parent", "--proc", "/proc", "--dev", "/dev", "--ro-bind", "/sys", "/sys",
                   "--ro-bind", ROOT / "usr", "/usr", "--bind", self.path, self.path,
                   "--bind", BUILD, BUILD]
        for name in ("bin", "lib", "lib64"):
            command += ["--symlink", f"usr/{name}", f"/{name}"]
        command.append("--clearenv")
        for name, value in environment.items():
            command += ["--setenv", name, value]
        return command + program

    def policy(self, text):
        """From now on programs run under ration, and it reads this."""
        file = self.path / "policy.toml"
        file.write_text("schema = 1\n" + textwrap.dedent(text))
        self.environment["RATION_POLICY"] = str(file)
        self.preload = [BUILD / "libration.so", BUILD / "sim/libsimkfd.so"]

    def partition(self, keys):
        self.policy(f"""
            [partition.it]
            {keys}
            [[rule]]
            use = "partition.it"
            """)

    def told(self, *command):
        """What a subcommand of `ration` tells in JSON."""
        done = subprocess.run([BUILD / "ration", *command, "--json"], env=self.environment,
                              capture_output=True, text=True, timeout=LIMIT_S)
        return json.loads(done.stdout)

    def records(self):
        """What `ration ps` tells of the programs that have run."""
        return self.told("ps", "--recent")["records"]

    def run(self, program, *arguments, **variables):
        path = BUILD / "apps" / program if program != "rocminfo" else "/usr/bin/rocminfo"
        self.log.unlink(missing_ok=True)
        environment = {**self.environment, **variables,
                       "LD_PRELOAD": ":".join(map(str, self.preload))}
        # ROCm 5.2.3 is older than the MI300X, and so is its compiler.
        if "mi300x" in environment["SIM_KFD_GPUS"] and (not OTHER_ROCM or program == "hip_kernels"):
            environment["HSA_OVERRIDE_GFX_VERSION"] = "9.0.10"
        command = self.command(environment, [path, *arguments])
        done = subprocess.run(command, env=None if OTHER_ROCM else environment, text=True,
                              timeout=LIMIT_S, capture_output=True, stdin=subprocess.DEVNULL)
        events = []
        if self.log.exists():
            events = [json.loads(line) for line in self.log.read_text().splitlines()]
        # Bubblewrap says of a program that died of a signal what a shell says.
        code = 128 - done.returncode if done.returncode > 128 else done.returncode
        complaints = [line for line in done.stderr.splitlines() if not line.startswith(ROCR_SAYS)]
        return Run(code, done.stdout, complaints, events)


def require(test, program):
    """Skips what this build left out: the OpenMP program needs GCC's offloading, and the libgomp that
    it was compiled for."""
    if OTHER_ROCM:
        test.skipTest(f"{program} belongs to this system's libgomp")
    if not (BUILD / "apps" / program).exists():
        test.skipTest(f"{program} was not built")


def main(arguments):
    """Runs the tests of the calling module; the arguments are build and source folder."""
    global BUILD
    BUILD = pathlib.Path(arguments[1]).resolve()
    unittest.main(argv=arguments[:1] + arguments[3:])
