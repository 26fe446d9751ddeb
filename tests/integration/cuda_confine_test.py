"""An unmodified program, the real libration.so and engine, and the simulated node: what each kind of grant
does, what each refusal says, and what the program's own variables are afterwards.

Arguments: build folder, source folder.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unittest

BUILD, SOURCE = pathlib.Path(), pathlib.Path()
ROUTES = ("linked", "dlopened", "procaddress", "by_ctypes")
GPUS = ["GPU-1a000000", "GPU-2b000000", "GPU-3c000000", "GPU-4d000000"]


class Node(contextlib.AbstractContextManager):
    """A simulated node with a runtime directory and, unless told otherwise, an MPS daemon."""

    def __init__(self, gpus="h100", daemon=True, driver=""):
        # /tmp whatever TMPDIR is: the path of an MPS socket may not be longer than 108 bytes.
        self.folder = tempfile.TemporaryDirectory(prefix="ration-", dir="/tmp")
        self.path = pathlib.Path(self.folder.name)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "LD_LIBRARY_PATH": f"{BUILD}/sim/{driver}:{BUILD}/sim",
            "RATION_RUNTIME_DIR": str(self.path / "run"),
            "SIM_CUDA_GPUS": gpus,
            "SIM_CUDA_LOG": str(self.path / "calls"),
        }
        self.pipe = self.path / "run" / f"u{os.getuid()}" / "mps" / "pipe"
        if daemon:
            self.pipe.mkdir(parents=True, mode=0o755)
            (self.path / "run").chmod(0o755)
            self.control("-d")

    def __exit__(self, *_):
        if self.pipe.exists():
            self.control(text="quit\n")
        self.folder.cleanup()

    def control(self, *arguments, text=""):
        environment = {
            **self.environment,
            "CUDA_MPS_PIPE_DIRECTORY": str(self.pipe),
            "CUDA_MPS_LOG_DIRECTORY": str(self.path),
        }
        program = BUILD / "sim/bin/nvidia-cuda-mps-control"
        subprocess.run([program, *arguments], input=text, text=True, env=environment, timeout=20,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)

    def policy(self, text):
        file = self.path / "policy.toml"
        file.write_text("schema = 1\n" + textwrap.dedent(text))
        self.environment["RATION_POLICY"] = str(file)

    def command(self, command, **variables):
        environment = {**self.environment, "LD_PRELOAD": str(BUILD / "libration.so"), **variables}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    def run(self, route="linked", **variables):
        """The program's report, and what it said on stderr."""
        command = [BUILD / "apps" / route]
        if route == "by_ctypes":
            command = [sys.executable, SOURCE / "tests/apps/by_ctypes.py"]
        done = self.command(command, **variables)
        return json.loads(done.stdout), done.stderr

    def python(self, code, **variables):
        return self.command([sys.executable, "-c", textwrap.dedent(code)], **variables)

    def records(self):
        done = self.command([BUILD / "ration", "ps", "--recent", "--json"], LD_PRELOAD="")
        return json.loads(done.stdout)["records"]

    def seen_by_driver(self):
        """The variables that the driver saw in cuInit."""
        words = [line.split() for line in (self.path / "calls").read_text().splitlines()]
        found = [line[line.index("environment") + 1] for line in words if "environment" in line]
        return dict(entry.split("=", 1) for entry in found)


DRIVER = """
import ctypes, os
cuda = ctypes.CDLL("libcuda.so.1")
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
def variable(name):
    value = libc.getenv(name.encode())
    return None if value is None else value.decode()
"""


def rule(partition):
    return f"[partition.p]\n{partition}\n[[rule]]\nuse = \"partition.p\"\n"


class Share(unittest.TestCase):
    def test_every_route_is_confined(self):
        with Node() as node:
            node.policy(rule('share = "25%"'))
            for route in ROUTES:
                report, said = node.run(route)
                self.assertEqual((report.get("sms"), said), (32, ""), f"{route}: {report} {said}")
            self.assertEqual({record["state"] for record in node.records()}, {"granted"})

    def test_memory_is_bounded(self):
        with Node() as node:
            node.policy(rule('share = "25%"\nmemory = "2GiB"'))
            report, said = node.run()
            self.assertEqual(said, "")
            self.assertLessEqual(report["memory_free"], 2 << 30)
            self.assertGreater(report["memory_free"], 1 << 30)

    def test_the_smallest_share_is_not_all_of_it(self):
        with Node() as node:
            node.policy(rule('share = "0.0000000001%"'))
            report, said = node.run()
            self.assertEqual((report.get("sms"), said), (8, ""))

    def test_a_number_of_sms(self):
        with Node(gpus="a100") as node:
            node.policy(rule("sm = 54"))
            self.assertEqual(node.run()[0]["sms"], 54)

    def test_the_flags_of_ration_run(self):
        with Node() as node:
            done = node.command(
                [BUILD / "ration", "run", "--share", "50%", "--", BUILD / "apps/linked"], LD_PRELOAD="")
            self.assertEqual(json.loads(done.stdout)["sms"], 66, done.stderr)

    def test_a_smaller_share_in_the_environment_stays(self):
        with Node() as node:
            node.policy(rule('share = "25%"'))
            self.assertEqual(node.run(CUDA_MPS_ACTIVE_THREAD_PERCENTAGE="10")[0]["sms"], 12)
            self.assertEqual(node.run(CUDA_MPS_ACTIVE_THREAD_PERCENTAGE="60")[0]["sms"], 32)

    def test_the_programs_variables_come_back(self):
        with Node() as node:
            node.policy(rule('share = "25%"\nmemory = "2GiB"'))
            done = node.python(DRIVER + """
names = ["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "CUDA_MPS_PIPE_DIRECTORY",
         "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT", "CUDA_VISIBLE_DEVICES"]
before = [variable(name) for name in names]
assert cuda.cuInit(0) == 0
assert [variable(name) for name in names] == before, [variable(name) for name in names]
""", CUDA_MPS_ACTIVE_THREAD_PERCENTAGE="60")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            seen = node.seen_by_driver()
            self.assertEqual(seen["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"], "25")
            self.assertEqual(seen["CUDA_MPS_PIPE_DIRECTORY"], str(node.pipe))
            self.assertRegex(seen["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"], "^GPU-1a0.*=2048M$")

    def test_older_drivers(self):
        for driver in ("11.4", "12.2", "12.8"):
            with self.subTest(driver), Node(driver=driver) as node:
                node.policy(rule('share = "25%"'))
                report, said = node.run("dlopened")
                self.assertEqual(report.get("sms"), 32, said)

    def test_an_affinity_of_the_program_stays_within(self):
        with Node() as node:
            node.policy(rule('share = "25%"'))
            done = node.python(DRIVER + """
assert cuda.cuInit(0) == 0
class Parameter(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("count", ctypes.c_uint)]
for asked, granted in ((16, 16), (31, 32), (32, 32), (100, 32)):
    context, parameter, answer = ctypes.c_void_p(), Parameter(0, asked), Parameter()
    code = cuda.cuCtxCreate_v3(ctypes.byref(context), ctypes.byref(parameter), 1, 0, 0)
    assert code == 0, (asked, code)
    assert cuda.cuCtxGetExecAffinity(ctypes.byref(answer), 0) == 0
    assert (answer.count, parameter.count) == (granted, asked), (asked, answer.count)
""")
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_tool_inside_cuinit_does_not_deadlock(self):
        with Node() as node:
            node.policy(rule('share = "25%"'))
            report, said = node.run(SIM_CUDA_INIT_THREAD="1")
            self.assertEqual((report["sms"], said), (32, ""))
            self.assertIn("thread cuInit=0", (node.path / "calls").read_text())

    def test_a_forked_child_decides_for_itself(self):
        with Node() as node:
            node.policy("""
                [pool.p]
                assign = "rank"
                share = ["25%", "50%"]
                [[rule]]
                use = "pool.p"
                """)
            done = node.python(DRIVER + """
import sys
sms = ctypes.c_int()
for rank in (0, 1):
    child = os.fork()
    if child == 0:
        os.environ["RATION_RANK"] = str(rank)
        ok = cuda.cuInit(0) == 0 and cuda.cuDeviceGetAttribute(ctypes.byref(sms), 16, 0) == 0
        os._exit(sms.value if ok else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")
            self.assertEqual(done.stdout.split(), ["32", "66"], done.stderr)

    def test_a_grandchild_of_one_that_was_ignored_decides_for_itself(self):
        with Node() as node:
            node.policy(rule('share = "25%"'))
            done = node.python(DRIVER + """
sms = ctypes.c_int()
def in_child(body):
    child = os.fork()
    if child == 0:
        os._exit(body())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
def grandchild():
    del os.environ["RATION_DISABLE"]
    ok = cuda.cuInit(0) == 0 and cuda.cuDeviceGetAttribute(ctypes.byref(sms), 16, 0) == 0
    return sms.value if ok else 1
def child():
    os.environ["RATION_DISABLE"] = "1"
    return in_child(grandchild) if cuda.cuInit(1) != 0 else 2
assert cuda.cuInit(1) != 0  # decided, and not initialised
print(in_child(child))
""")
            self.assertEqual((done.stdout.strip(), done.stderr), ("32", ""))

    def test_a_librarys_constructor_may_call_while_a_thread_reads_its_grant(self):
        with Node() as node:
            node.policy(rule('share = "25%"'))
            preload = BUILD / "tests/preload"
            done = node.command([preload / "preload_constructor", preload / "libconstructor.so"],
                                SCENARIO_DECIDED="1")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual([record["state"] for record in node.records()], ["granted"])

    def test_threads_race_into_the_first_call(self):
        with Node() as node:
            node.policy(rule('share = "25%"'))
            done = node.python(DRIVER + """
import threading
codes = []
threads = [threading.Thread(target=lambda: codes.append(cuda.cuInit(0))) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
sms = ctypes.c_int()
cuda.cuDeviceGetAttribute(ctypes.byref(sms), 16, 0)
assert codes == [0] * 12 and sms.value == 32, (codes, sms.value)
assert variable("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE") is None
""", SIM_CUDA_INIT_DELAY_US="20000")
            self.assertEqual((done.returncode, done.stderr), (0, ""))


class Devices(unittest.TestCase):
    def test_a_uuid_in_capitals(self):
        with Node(gpus="h100,h100", daemon=False) as node:
            node.policy(rule('device = "GPU-2B000000"'))
            report, said = node.run()
            self.assertEqual((report.get("uuid", "")[:12], said), (GPUS[1][:12], ""))

    def test_stay_narrowed_and_children_know_what_was_given(self):
        with Node(gpus="h100,h100,h100,h100", daemon=False) as node:
            node.policy("""
                [partition.parent]
                device = 2
                [partition.child]
                device = 3
                [[rule]]
                env = { CHILD = "1" }
                use = "partition.child"
                [[rule]]
                use = "partition.parent"
                """)
            done = node.python(DRIVER + f"""
import subprocess
assert cuda.cuInit(0) == 0
count = ctypes.c_int()
cuda.cuDeviceGetCount(ctypes.byref(count))
assert count.value == 1
assert variable("CUDA_VISIBLE_DEVICES").startswith("{GPUS[2]}")
assert variable("RATION_GIVEN_CUDA_VISIBLE_DEVICES") == "1,2,3"
libc.setenv(b"CHILD", b"1", 1)
libc.system(b"{BUILD}/apps/linked")
""", CUDA_VISIBLE_DEVICES="1,2,3")
            self.assertEqual(done.stderr, "")
            self.assertTrue(json.loads(done.stdout)["uuid"].startswith(GPUS[3]), done.stdout)

    def test_outside_the_given_list(self):
        with Node(gpus="h100,h100", daemon=False) as node:
            node.policy(rule("device = 1"))
            report, said = node.run(CUDA_VISIBLE_DEVICES="0")
            self.assertEqual(report["error"], 101)
            self.assertIn("CUDA_VISIBLE_DEVICES=0", said)
            self.assertEqual(said.count("\n"), 1)

    def test_a_number_means_the_drivers_device_or_nothing(self):
        for partition in ("sm = 16", 'memory = "2GiB"'):
            with self.subTest(partition), Node(gpus="l4,h100") as node:
                node.policy(rule(partition))
                report, said = node.run(CUDA_VISIBLE_DEVICES="0")
                self.assertEqual(report.get("error"), 101, report)
                self.assertIn("CUDA_DEVICE_ORDER=PCI_BUS_ID", said)
                report, said = node.run(CUDA_VISIBLE_DEVICES="0", CUDA_DEVICE_ORDER="PCI_BUS_ID")
                self.assertEqual((report.get("name"), said), ("NVIDIA L4", ""), report)
                within = report["sms"] == 16 if "sm" in partition else report["memory_free"] <= 2 << 30
                self.assertTrue(within, report)

    def test_a_memory_limit_by_number_is_never_widened(self):
        with Node(gpus="l4,h100") as node:
            node.policy(rule('memory = "10GiB"'))
            report, said = node.run(CUDA_MPS_PINNED_DEVICE_MEM_LIMIT="0=1G")
            self.assertEqual(report.get("error"), 800, report)
            self.assertIn("is not clear", said)

    def test_a_leftover_limit_stays_with_its_device(self):
        with Node(gpus="h100,h100") as node:
            node.policy(rule("device = 1\npriority = 1"))
            report, said = node.run(CUDA_MPS_PINNED_DEVICE_MEM_LIMIT="0=1G")
            self.assertEqual(said, "")
            self.assertGreater(report["memory_free"], 2 << 30)

    def test_a_pool_that_does_not_fit(self):
        with Node() as node:
            shares = ", ".join(['"5%"'] * 20)
            node.policy(f'[pool.p]\nassign = "rank"\nshare = [{shares}]\n[[rule]]\nuse = "pool.p"\n')
            report, said = node.run(RATION_RANK="3")
            self.assertEqual(report["error"], 800)
            self.assertIn("160 SMs", said)


class Mig(unittest.TestCase):
    def test_an_instance_by_its_uuid(self):
        with Node(gpus="h100,h100/3g.40gb/1g.10gb", daemon=False) as node:
            unknown = rule('mig = "MIG-00000000-0000-5000-8000-000000000000"')
            node.policy(unknown)
            report, said = node.run()
            self.assertEqual(report["error"], 101)
            self.assertRegex(said, r"MIG-\S+ \(3g.40gb on GPU-2b")
            instance = [word for word in said.split() if word.startswith("MIG-")][-1]
            node.policy(rule(f'mig = "{instance}"'))
            report, said = node.run()
            self.assertEqual((report["devices"], said), (1, ""))
            self.assertLess(report["sms"], 60)
            self.assertEqual(node.records()[-1]["mechanism"], "mig")


class Refusals(unittest.TestCase):
    def test_no_daemon(self):
        with Node(daemon=False) as node:
            node.policy(rule('share = "25%"'))
            for route in ROUTES:
                report, said = node.run(route)
                self.assertEqual((report["failed"], report["error"]), ("cuInit", 805))
                self.assertEqual(said.count("\n"), 1, said)
                self.assertIn("`ration mps ensure`", said)
            self.assertFalse((node.path / "calls").exists() and
                             " cuInit " in (node.path / "calls").read_text(), "the driver was called")
            record = node.records()[-1]
            self.assertEqual(record["state"], "refused")
            self.assertIn("no MPS daemon answers", record["why"])

    def test_no_daemon_and_a_warning(self):
        with Node(daemon=False) as node:
            node.policy('defaults.on_error = "warn"\n' + rule('share = "25%"'))
            report, said = node.run()
            self.assertEqual(report["sms"], 132)
            self.assertIn("runs without a share", said)
            self.assertEqual(node.records()[-1]["state"], "unshared")

    def test_deny(self):
        with Node() as node:
            node.policy('[[rule]]\nuse = "deny"\n')
            report, said = node.run()
            self.assertEqual(report["error"], 100)
            self.assertIn("policy.toml:2", said)
            self.assertEqual(node.records()[-1]["state"], "denied")

    def test_a_choice_that_is_not_offered_opens_nothing(self):
        warn = 'defaults.on_error = "warn"\n'
        for policy in (warn + '[[rule]]\nuse = "deny"\n', warn + rule('share = "25%"')):
            with Node() as node:
                node.policy(policy)
                report, said = node.run(RATION_USE="partition.all")
                self.assertEqual(report.get("error"), 800, report)
                self.assertIn("RATION_USE=partition.all", said)
                self.assertEqual(node.records()[-1]["state"], "refused")

    def test_a_rank_without_a_slot_opens_nothing(self):
        with Node() as node:
            node.policy('defaults.on_error = "warn"\n[pool.p]\nassign = "rank"\nshare = ["25%"]\n'
                        '[[rule]]\nuse = "pool.p"\n')
            for rank in ("999", "x", ""):
                report, said = node.run(RATION_RANK=rank)
                self.assertEqual(report.get("error"), 800, report)
                self.assertIn("RATION_RANK", said)

    def test_a_mistake_in_the_policy(self):
        with Node() as node:
            node.policy(rule('share = "140%"'))
            report, said = node.run()
            self.assertEqual(report["error"], 800)
            self.assertRegex(said, r"^ration: \S+policy.toml:3:\d+: ")

    def test_a_full_server(self):
        with Node() as node:
            node.policy(rule('share = "25%"'))
            report, said = node.run(SIM_CUDA_FAIL="cuDevicePrimaryCtxRetain=808")
            self.assertEqual(report["error"], 808)
            self.assertIn("wait until one ends", said)

    def test_a_context_that_does_not_fit_its_limit(self):
        with Node() as node:
            node.policy(rule('memory = "300MiB"'))
            report, said = node.run()
            self.assertEqual(report["error"], 2)
            self.assertIn("limit of 300 MiB", said)

    def test_ignored_processes_leave_no_trace(self):
        with Node() as node:
            node.policy('[[rule]]\nuse = "ignore"\n')
            report, said = node.run()
            self.assertEqual((report["sms"], said), (132, ""))
            self.assertEqual(node.records(), [])

    @unittest.skipIf(os.geteuid() != 0, "needs another user")
    def test_a_home_out_of_reach_holds_no_policy(self):
        with Node() as node:
            node.path.chmod(0o755)
            home = node.path / "root"
            home.mkdir(mode=0o700)
            for variables in ({"HOME": str(home)}, {"XDG_CONFIG_HOME": str(home)}):
                done = subprocess.run(
                    [BUILD / "apps/linked"], user=65534, group=65534, capture_output=True, text=True,
                    timeout=60, env={**node.environment, "LD_PRELOAD": str(BUILD / "libration.so"),
                                     "SIM_CUDA_LOG": "", **variables})
                self.assertEqual((json.loads(done.stdout).get("sms"), done.stderr), (132, ""))

    def test_an_unusable_runtime_directory_stops_nothing(self):
        with Node() as node:
            node.policy(rule('share = "25%"'))
            report, _ = node.run(RATION_RUNTIME_DIR="/proc/nowhere",
                                 CUDA_MPS_PIPE_DIRECTORY=str(node.pipe))
            self.assertEqual(report["sms"], 32)


class Log(unittest.TestCase):
    def test_a_file_for_each_process(self):
        with Node() as node:
            node.policy(rule('share = "25%"'))
            report, said = node.run(RATION_LOG=str(node.path / "log.%p"))
            self.assertEqual(said, "")
            text = (node.path / f"log.{report['pid']}").read_text()
            self.assertIn("asked 25 %, granted 32 of 132 SMs (24.2 %), mps, concurrent: yes", text)


if __name__ == "__main__":
    BUILD, SOURCE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
