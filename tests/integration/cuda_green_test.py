"""Programs under mechanism = "green" on the simulated node: the conformance programs see what they see bare, and
what a policy asks for is had or refused with what is possible.

Arguments: build folder, source folder.
"""

import contextlib
import os
import pathlib
import re
import subprocess
import sys
import unittest

import cuda_confine_test as confine
from cuda_confine_test import DRIVER, Node, rule

BUILD, SOURCE = pathlib.Path(), pathlib.Path()
GREEN = 'mechanism = "green"\n'

# What is not as bare, and why. A test that is here and passes all the same is a mistake too.
PERCENTAGE = "asks for an MPS percentage itself: no driver divides the SMs of such a client"
OWN_CONTEXT = "makes contexts of its own: without MPS nothing confines them"
NUMBERS = "knows the numbers of a part with 132 SMs only, and is told of 32"
DIFFERENT = {
    "copies": {"Copies.InPtdsThatTurnOutToBeWithinTheDeviceAreNotWaitedFor": (
        "FAILED", "the simulated driver has no cuPointerGetAttribute, which tells a cuMemcpy within the device")},
    "visible": {"Visible.AUuidThatIsNotThereOrNotWrittenSoNamesNothing": (
        "FAILED", "a MIG instance in CUDA_VISIBLE_DEVICES is refused before the driver finds none")},
    "memory": {"Limit.CountsTheContextItselfWhichIsSmallerOnFewerSms": ("FAILED", PERCENTAGE),
               "Limit.WorksBesideAPercentageAndAVisibleDeviceByUuid": ("FAILED", PERCENTAGE),
               "Limit.SmallerThanTheContextFailsThere": ("SKIPPED", NUMBERS)},
    "allocation": {"Pools.AndMappedMemoryOutliveTheContextTheyWereAskedForIn": ("FAILED", OWN_CONTEXT),
                   "Arrays.ArePadded": ("SKIPPED", NUMBERS),
                   "Memory.ComesInUnits": ("SKIPPED", NUMBERS)},
}
PROGRAMS = ("init", "procaddress", "visible", "contexts", "streams", "per_thread_stream", "copies", "stream_values",
            "events", "capture",
            "memory", "allocation", "graph_memory")


def outcomes(program, **variables):
    """What became of each test of a conformance program: OK, FAILED or SKIPPED."""
    environment = {"PATH": f"{BUILD}/sim/bin:{os.environ['PATH']}", "LD_LIBRARY_PATH": f"{BUILD}/sim",
                   **variables}
    done = subprocess.run([BUILD / f"gpu/{program}_test", "--gtest_color=no"], env=environment,
                          capture_output=True, text=True, timeout=100)
    found = {}
    for line in done.stdout.splitlines():
        ended = re.fullmatch(r"\[ +(OK|FAILED|SKIPPED) +\] ([^ ,]+).* \(\d+ ms\)", line)
        if ended:
            found[ended[2]] = ended[1]
    return found


class Unmodified(unittest.TestCase):
    def test_programs_see_what_they_see_bare(self):
        with Node(daemon=False) as node:
            node.policy(rule(GREEN + 'share = "25%"'))
            confined = {"LD_PRELOAD": str(BUILD / "libration.so"),
                        "RATION_POLICY": node.environment["RATION_POLICY"],
                        "RATION_RUNTIME_DIR": node.environment["RATION_RUNTIME_DIR"]}
            for program in PROGRAMS:
                with self.subTest(program):
                    bare = outcomes(program)
                    self.assertTrue(bare)
                    self.assertNotIn("FAILED", bare.values())
                    different = {name: state for name, (state, _) in DIFFERENT.get(program, {}).items()}
                    expected = {**bare, **different}
                    self.assertEqual(outcomes(program, **confined), expected)


class Share(unittest.TestCase):
    def sms(self, partition, **variables):
        with Node(daemon=False) as node:
            node.policy(rule(GREEN + partition))
            report, said = node.run(**variables)
            self.assertEqual(said, "")
            return report["sms"], node.records()[0]

    def test_rounds_down_to_groups_and_records_them(self):
        for partition, sms, groups in (
                ('share = "25%"', 32, "32 of 132 SMs (24.2 %), groups 0-3"),
                ("sm = 20", 16, "16 of 132 SMs (12.1 %), groups 0-1"),
                ('sm_groups = "2-3,7"', 24, "24 of 132 SMs (18.2 %), groups 2-3,7"),
                ('share = "25%"\ngranularity = "fine"', 32, "32 of 132 SMs (24.2 %), groups 0-15"),
                ('share = "100%"', 132, "132 of 132 SMs (100.0 %)")):
            with self.subTest(partition):
                told, record = self.sms(partition)
                self.assertEqual((told, record["granted"]), (sms, groups))
                self.assertEqual((record["mechanism"], record["concurrent"]), ("green", False))

    def test_every_route_is_confined_and_an_mps_daemon_makes_it_concurrent(self):
        with Node() as node:
            node.policy(rule(GREEN + 'share = "25%"'))
            for route in confine.ROUTES:
                report, said = node.run(route)
                self.assertEqual((report.get("sms"), said), (32, ""), f"{route}: {report} {said}")
            self.assertEqual({record["concurrent"] for record in node.records()}, {True})

    def test_a_worker_forked_before_cuinit_has_streams_as_bare(self):
        code = DRIVER + """
context, stream, its = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
flags, number = ctypes.c_uint(9), ctypes.c_int()
slow = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: gate.wait())
own = ctypes.c_void_p(2)  # CU_STREAM_PER_THREAD
import threading
gate = threading.Event()
cuda.cuCtxGetCurrent(ctypes.byref(context))  # the first call, and the decision
child = os.fork()
if child == 0:
    cuda.cuInit(0)
    cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
    cuda.cuCtxSetCurrent(context)
    cuda.cuDeviceGetAttribute(ctypes.byref(number), 16, 0)
    print("sms", number.value)
    cuda.cuStreamCreate(ctypes.byref(stream), 0)
    cuda.cuStreamGetFlags(stream, ctypes.byref(flags))
    cuda.cuStreamGetCtx(stream, ctypes.byref(its))
    print("flags", flags.value, "primary", its.value == context.value, "own", cuda.cuStreamQuery(own))
    event = ctypes.c_void_p()
    cuda.cuEventCreate(ctypes.byref(event), 0)
    cuda.cuLaunchHostFunc(None, slow, None)
    cuda.cuEventRecord(event, stream)
    print("after null", cuda.cuStreamQuery(stream), flush=True)
    gate.set()
    cuda.cuCtxSynchronize()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
        with Node(daemon=False) as node:
            node.policy(rule(GREEN + 'share = "25%"'))
            bare = node.python(code, LD_PRELOAD="").stdout
            confined = node.python(code)
            self.assertIn("flags 0 primary True own 0\nafter null 600\n", bare)
            self.assertEqual((confined.stdout, confined.stderr), (bare.replace("sms 132", "sms 32"), ""))

    def test_devices_have_shares_of_their_own(self):
        code = DRIVER + """
cuda.cuInit(0)
for device in (0, 1):
    sms = ctypes.c_int()
    cuda.cuDeviceGetAttribute(ctypes.byref(sms), 16, device)
    print(sms.value)
"""
        with Node(gpus="h100,h100", daemon=False) as node:
            node.policy(rule(GREEN + 'device_share = { 0 = "25%", 1 = "50%" }'))
            done = node.python(code)
            self.assertEqual((done.stdout.split(), done.stderr), (["32", "64"], ""))


# How many SMs the context has that is really current, by the driver's own functions: the program is
# told of the primary context.
INHABITED = DRIVER + """
import sys, threading
path, *places = sys.argv[1:]
base = next(int(line.split("-")[0], 16) for line in open("/proc/self/maps") if line.rstrip().endswith(path))
kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
current, of = (kind(base + int(place, 16)) for place in places)
context, other = ctypes.c_void_p(), ctypes.c_void_p()
def sms():
    now, resource = ctypes.c_void_p(), (ctypes.c_uint * 64)()
    return current(ctypes.byref(now), None, 0) or of(now, resource, 1) or resource[24]
def elsewhere(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
cuda.cuInit(0)
cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
cuda.cuCtxSetCurrent(context)
print("set", sms())
cuda.cuCtxSetCurrent(None)
cuda.cuCtxPushCurrent_v2(context)
print("pushed", sms())
cuda.cuCtxPopCurrent_v2(ctypes.byref(other))
cuda.cuCtxSetCurrent(other)
print("popped and set", sms())
elsewhere(lambda: (cuda.cuCtxSetCurrent(context), print("other thread", sms())))
cuda.cuDevicePrimaryCtxReset_v2(0)
cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
cuda.cuCtxSetCurrent(context)
print("reset", sms())
"""


class Inside(unittest.TestCase):
    def test_whatever_makes_the_primary_current_makes_the_home_current(self):
        driver = (BUILD / "sim/libcuda.so.1").resolve()
        symbols = subprocess.run(["nm", "-D", driver], capture_output=True, text=True, check=True).stdout
        places = [re.search(rf"(?m)^([0-9a-f]+) T {name}$", symbols)[1]
                  for name in ("cuCtxGetCurrent", "cuCtxGetDevResource")]
        with Node(daemon=False) as node:
            node.policy(rule(GREEN + 'share = "25%"'))
            for library, sms in (("", 132), (str(BUILD / "libration.so"), 32)):
                done = node.command([sys.executable, "-c", INHABITED, driver, *places], LD_PRELOAD=library)
                ways = ("set", "pushed", "popped and set", "other thread", "reset")
                self.assertEqual(done.stdout.splitlines(), [f"{way} {sms}" for way in ways], done.stderr)


# A library looks at the device and is done with it, before the program begins; then events are made.
PROBED = DRIVER + """
import sys
context, event = ctypes.c_void_p(), ctypes.c_void_p()
cuda.cuInit(0)
cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
cuda.cuCtxPushCurrent_v2(context)
cuda.cuCtxPopCurrent_v2(ctypes.byref(context))
cuda.cuDevicePrimaryCtxRelease_v2(0)
cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
cuda.cuCtxSetCurrent(context)
print(sum(cuda.cuEventCreate(ctypes.byref(event), 0) for _ in range(int(sys.argv[1]))))
"""


class Revival(unittest.TestCase):
    def test_a_thread_looks_once_at_what_is_current_after_a_home_has_ended(self):
        def asked(events):
            with Node(daemon=False) as node:
                node.policy(rule(GREEN + 'share = "25%"'))
                done = node.command([sys.executable, "-c", PROBED, str(events)],
                                    LD_PRELOAD=str(BUILD / "libration.so"))
                self.assertEqual((done.stdout, done.stderr), ("0\n", ""))
                calls = (node.path / "calls").read_text()
            self.assertEqual(len(re.findall(" cuEventCreate ", calls)), events)
            return len(re.findall(" cuCtxGetCurrent ", calls))

        self.assertEqual(asked(100) - asked(1), 0, "cuCtxGetCurrent for each event")
        self.assertEqual(asked(1) - asked(0), 1, "cuCtxGetCurrent for the first")


# A process that has its home, on each device that is named, and stays until its input ends.
HOLDER = DRIVER + """
import sys
context = ctypes.c_void_p()
cuda.cuInit(0)
for device in [int(word) for word in sys.argv[1:]] or [0]:
    code = cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device) or cuda.cuCtxSetCurrent(context)
    print(code, flush=True)
sys.stdin.read()
"""


class Exclusive(unittest.TestCase):
    def test_partitions_do_not_overlap_and_the_last_is_refused(self):
        with Node() as node:
            node.policy(rule('share = "45%"\nexclusive = true'))
            environment = {**node.environment, "LD_PRELOAD": str(BUILD / "libration.so")}
            held = []
            try:
                for _ in range(3):
                    held.append(subprocess.Popen([sys.executable, "-c", HOLDER], env=environment, text=True,
                                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                                 stderr=subprocess.PIPE))
                    self.assertIn(held[-1].stdout.readline().strip(), ("0", "800"))
                granted = [record["granted"].split(", ")[-1] for record in node.records()
                           if record["state"] == "granted"]
                self.assertEqual(sorted(granted), ["groups 0-6", "groups 7-13"])
                said = held[2].communicate(timeout=20)[1]
                self.assertIn("not enough groups of GPU-1a000000", said)
                self.assertIn("set wait in the policy", said)
            finally:
                for process in held:
                    process.kill()
                    process.communicate()
            report, said = node.run()
            self.assertEqual((report.get("sms"), said), (56, ""), "the groups came back")

    def test_a_whole_device_of_several_is_taken_with_its_first_context(self):
        with Node(gpus="h100,h100", daemon=False) as node, contextlib.ExitStack() as stack:
            def code(share, device):
                """Of a process that stays: what a context on the device answers."""
                node.policy(rule(GREEN + share))
                environment = {**node.environment, "LD_PRELOAD": str(BUILD / "libration.so")}
                process = stack.enter_context(subprocess.Popen(
                    [sys.executable, "-c", HOLDER, str(device)], env=environment, text=True,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
                stack.callback(process.kill)
                return process.stdout.readline().strip()

            exclusive = "exclusive = true\n"
            self.assertEqual(code(exclusive + 'share = "100%"', 1), "0")
            self.assertEqual(code(exclusive + 'share = "50%"', 1), "800")
            self.assertEqual(code('share = "100%"', 1), "800")
            self.assertEqual(code(exclusive + 'share = "50%"', 0), "0", "it is not used by the first")
            self.assertEqual(code(exclusive + 'device_share = { 0 = "100%", 1 = "50%" }', 0), "800")


# Says each word of stdin as a step that it takes.
CLOSER = DRIVER + """
import sys
context, stream = ctypes.c_void_p(), ctypes.c_void_p()
steps = {"begin": lambda: cuda.cuInit(0) or cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
                          or cuda.cuCtxSetCurrent(context),
         "close": lambda: os.closerange(3, 4096),
         "stream": lambda: cuda.cuStreamCreate(ctypes.byref(stream), 0),
         "retain": lambda: cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)}
for line in iter(sys.stdin.readline, ""):
    print(line.strip(), steps[line.strip()](), flush=True)
"""


class ClosedDescriptors(unittest.TestCase):
    """A program that closes foreign descriptors drops the locks that hold its groups."""

    def setUp(self):
        self.node = Node(daemon=False)
        self.node.__enter__()
        self.addCleanup(self.node.__exit__, None, None, None)
        self.node.policy(rule(GREEN + 'sm_groups = "0-7"\nexclusive = true'))

    def start(self, *steps):
        environment = {**self.node.environment, "LD_PRELOAD": str(BUILD / "libration.so"),
                       "RATION_LOG": "stderr", "RATION_LOG_LEVEL": "info"}
        program = subprocess.Popen([sys.executable, "-c", CLOSER], env=environment, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(lambda: (program.kill(), program.communicate()))
        self.step(program, *steps)
        return program

    def step(self, program, *steps, code="0"):
        for step in steps:
            program.stdin.write(step + "\n")
            program.stdin.flush()
            self.assertIn(program.stdout.readline(), (f"{step} {code}\n", "close None\n"))

    def end(self, program):
        return [line for line in program.communicate(timeout=20)[1].splitlines() if "descriptor" in line]

    def test_what_is_free_still_is_held_again(self):
        for point in ("stream", "retain"):
            with self.subTest(point):
                program = self.start("begin", "close", point)
                other = self.start()
                self.step(other, "begin", code="800")
                self.step(program, "close", point)
                said = self.end(program)
                self.assertEqual(len(said), 1, said)
                self.assertIn("were free still and are held again", said[0])
                other.communicate()

    def test_what_others_took_is_said_and_recorded(self):
        program = self.start("begin", "close")
        thief = self.start("begin")
        self.step(program, "stream", "retain", "stream")
        said = self.end(program)
        self.assertEqual(len(said), 1, said)
        self.assertIn(f"groups 0-7 held by pid {thief.pid}", said[0])
        record = next(record for record in self.node.records() if record["pid"] == program.pid)
        self.assertIn("groups 0-7, held no longer", record["granted"])
        self.assertIn("was lost", record["why"])


# On a device that is confined, after a second one was asked for that is taken.
BESIDE = DRIVER + """
import threading
gate = threading.Event()
slow = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: gate.wait())
first, second, now, stream, event = (ctypes.c_void_p() for _ in range(5))
flags, active, sms = ctypes.c_uint(9), ctypes.c_int(), ctypes.c_int()
cuda.cuInit(0)
cuda.cuDevicePrimaryCtxRetain(ctypes.byref(first), 0)
cuda.cuCtxSetCurrent(first)
cuda.cuStreamCreate(ctypes.byref(stream), 0)
for _ in range(2):
    print("second", cuda.cuDevicePrimaryCtxRetain(ctypes.byref(second), 1), cuda.cuCtxSetCurrent(second))
cuda.cuCtxGetCurrent(ctypes.byref(now))
print("current", now.value == second.value)
cuda.cuCtxSetCurrent(first)
cuda.cuCtxGetCurrent(ctypes.byref(now))
cuda.cuStreamGetFlags(stream, ctypes.byref(flags))
print("current", now.value == first.value, "flags", flags.value)
for device in (0, 1):
    cuda.cuDeviceGetAttribute(ctypes.byref(sms), 16, device)
    print("sms", sms.value)
cuda.cuEventCreate(ctypes.byref(event), 0)
cuda.cuLaunchHostFunc(None, slow, None)
cuda.cuEventRecord(event, stream)
print("after null", cuda.cuStreamQuery(stream))
gate.set()
cuda.cuCtxSynchronize()
cuda.cuDevicePrimaryCtxRelease_v2(0)
cuda.cuDevicePrimaryCtxGetState(0, ctypes.byref(flags), ctypes.byref(active))
print("active", active.value)
"""


class Warned(unittest.TestCase):
    def test_a_device_that_is_taken_runs_without_a_share_and_the_others_with_theirs(self):
        with Node(gpus="h100,h100", daemon=False) as node:
            bare = node.python(BESIDE, LD_PRELOAD="").stdout
            exclusive = "exclusive = true\n"
            node.policy(rule(GREEN + exclusive + 'share = "60%"'))
            environment = {**node.environment, "LD_PRELOAD": str(BUILD / "libration.so")}
            with subprocess.Popen([sys.executable, "-c", HOLDER, "1"], env=environment, text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
                self.assertEqual(holder.stdout.readline().strip(), "0")
                for share, sms, granted in (
                        ("50%", "sms 64", "64 of 132 SMs (48.5 %), groups 0-7; 132 of 132 SMs (100.0 %)"),
                        ("100%", "sms 132", "132 of 132 SMs (100.0 %) on each of 2 devices")):
                    node.policy('defaults.on_error = "warn"\n' + rule(f'{GREEN}{exclusive}share = "{share}"'))
                    done = node.python(BESIDE)
                    self.assertEqual(done.stdout, bare.replace("sms 132", sms, 1), done.stderr)
                    self.assertEqual(done.stderr.count("runs without a share of GPU-2b000000"), 1, done.stderr)
                    records = [(record["granted"], "without a share" in record["why"]) for record in node.records()]
                    self.assertIn((granted, True), records)
                holder.communicate("")


class Refusals(unittest.TestCase):
    def refused(self, partition, driver="", **variables):
        with Node(daemon=False, driver=driver) as node:
            node.policy(rule(partition))
            _, said = node.run(**variables)
            self.assertEqual(len(said.splitlines()), 1, said)
            return said

    def test_each_says_what_is_possible_here(self):
        for partition, driver, words in (
                ('share = "3%"', "", ("one group of 8 SMs (6.1 %)", 'granularity = "fine"')),
                ("sm = 133", "", ("132 SMs", "ask for 132 at most")),
                ('sm_groups = "15"', "", ("no group 15", "15 groups of 8 SMs", "from 0 to 14")),
                ('share = "25%"', "12.2", ("CUDA 12.4 or newer", "CUDA 12.2", '"mps"'))):
            with self.subTest(partition + driver):
                said = self.refused(GREEN + partition, driver)
                for word in words:
                    self.assertIn(word, said)
                if not driver:
                    self.assertRegex(said, r"^ration: /.*\.toml:\d+:\d+: ")

    def test_a_percentage_in_the_environment_of_an_mps_client(self):
        with Node() as node:
            node.policy(rule(GREEN + 'share = "25%"'))
            _, said = node.run(CUDA_MPS_ACTIVE_THREAD_PERCENTAGE="50")
            self.assertRegex(said, r"^ration: /.*\.toml:\d+:\d+: CUDA_MPS_ACTIVE_THREAD_PERCENTAGE=50 is in")
            self.assertIn("unset it, or ask for share", said)
            self.assertEqual(len(said.splitlines()), 1, said)

    def test_a_percentage_partition_beside_exclusive_groups(self):
        """Each is refused beside the other, and says what to do."""
        first, second = GREEN + 'share = "25%"\nexclusive = true', 'share = "25%"'
        for held, refused in ((first, second), (second, first)):
            with self.subTest(held), Node() as node:
                node.policy(rule(held))
                environment = {**node.environment, "LD_PRELOAD": str(BUILD / "libration.so")}
                with subprocess.Popen([sys.executable, "-c", HOLDER], env=environment, text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
                    self.assertEqual(holder.stdout.readline().strip(), "0")
                    node.policy(rule(refused))
                    done = node.python(HOLDER)
                    self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                    self.assertIn(f"pid {holder.pid}", done.stderr)
                    self.assertRegex(done.stderr, "set wait|wait until|end that|let it end|scope|without exclusive")
                    holder.communicate("")

    def test_less_memory_than_can_be_counted(self):
        with Node(daemon=False) as node:
            node.policy(rule('memory = "0.0001%"'))
            _, said = node.run()
            self.assertRegex(said, r"^ration: /.*\.toml:\d+:\d+: memory: .* is below 1 MiB: ask for 1 MiB or more$")

    def test_a_percentage_of_the_daemon(self):
        with Node() as node:
            node.policy(rule(GREEN + 'share = "25%"'))
            node.control(text="set_default_active_thread_percentage 50\n")
            _, said = node.run()
            self.assertIn("does not divide the SMs of GPU-1a000000", said)
            self.assertIn("percentage", said)


OWN_CONTEXTS = DRIVER + """
cuda.cuInit(0)
context, current = ctypes.c_void_p(), ctypes.c_void_p()
print(cuda.cuCtxCreate_v2(ctypes.byref(context), 0, 0))
cuda.cuCtxGetCurrent(ctypes.byref(current))
print(current.value == context.value, context.value is not None)
sms = (ctypes.c_int * 2)()
print(cuda.cuCtxGetExecAffinity(sms, 0), sms[1])
print(cuda.cuCtxDestroy_v2(context))
cuda.cuCtxGetCurrent(ctypes.byref(current))
print(current.value)
"""


class OwnContexts(unittest.TestCase):
    def run_it(self, partition, daemon):
        with Node(daemon=daemon) as node:
            node.policy(rule(GREEN + 'share = "25%"\n' + partition))
            done = node.python(OWN_CONTEXTS)
            return done.stdout.splitlines(), done.stderr

    def test_are_refused_without_mps(self):
        printed, said = self.run_it("", daemon=False)
        self.assertEqual(printed[0], "800")
        self.assertIn('own_contexts = "primary"', said)
        self.assertEqual(len(said.splitlines()), 1)

    def test_are_the_primary_if_the_policy_says_so(self):
        self.assertEqual(self.run_it('own_contexts = "primary"', daemon=False),
                         (["0", "True True", "0 32", "0", "None"], ""))

    def test_are_counted_under_mps(self):
        self.assertEqual(self.run_it("", daemon=True), (["0", "True True", "0 32", "0", "None"], ""))


if __name__ == "__main__":
    BUILD, SOURCE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    confine.BUILD, confine.SOURCE = BUILD, SOURCE
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
