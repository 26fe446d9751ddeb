"""Programs under mechanism = "green" whose groups others hold, on the simulated node: they wait as long as the
policy says, and meanwhile they can be interrupted, jumped out of, cancelled and forked, and keep nobody waiting.

Arguments: build folder, source folder.
"""

import contextlib
import pathlib
import signal
import subprocess
import sys
import unittest

import cuda_confine_test as confine
from cuda_confine_test import DRIVER, Node, rule
from cuda_green_test import GREEN, HOLDER

BUILD, SOURCE = pathlib.Path(), pathlib.Path()
ALL = 'sm_groups = "0-14"\nexclusive = true\n'
TWO = "h100,h100"
INTERRUPTED = "304"  # CUDA_ERROR_OPERATING_SYSTEM


class Waits(unittest.TestCase):
    def node(self, gpus="h100", policy=ALL + 'wait = "60s"'):
        node = Node(gpus=gpus, daemon=False)
        node.__enter__()
        self.addCleanup(node.__exit__, None, None, None)
        node.policy(rule(GREEN + policy))
        return node

    def start(self, node, command, **variables):
        environment = {**node.environment, "LD_PRELOAD": str(BUILD / "libration.so"), **variables}
        process = subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(lambda: (process.kill(), process.communicate()))
        return process

    def holder(self, node, *devices):
        """A process that has all groups of these devices until it is ended."""
        process = self.start(node, [sys.executable, "-c", HOLDER, *(str(device) for device in devices)])
        for _ in devices or [0]:
            self.assertEqual(process.stdout.readline(), "0\n")
        return process

    def program(self, node):
        return self.start(node, [BUILD / "apps/waits"])

    def tell(self, program, word):
        program.stdin.write(word + "\n")
        program.stdin.flush()

    def answers(self, program, line):
        self.assertEqual(program.stdout.readline(), line + "\n")

    def waits(self, program, device="GPU-1a000000"):
        """Until it has said that it waits, which it does before it sleeps for the first time."""
        self.assertRegex(program.stderr.readline(), f"^ration: waits up to 60 s for groups of {device}.*held by pid")

    def record(self, node, program):
        return next(record for record in node.records() if record["pid"] == program.pid)

    def end(self, holder):
        holder.communicate("", timeout=20)

    def in_each_case(self, scenario):
        """Where the program waits in cuInit, and where it waits in cuCtxSetCurrent."""
        for gpus, devices in (("h100", ()), (TWO, (0,))):
            with self.subTest(gpus):
                node = self.node(gpus)
                scenario(node, self.holder(node, *devices))

    def test_until_the_holder_ends(self):
        def scenario(node, holder):
            program = self.program(node)
            self.tell(program, "use0")
            self.waits(program)
            record = self.record(node, program)
            self.assertEqual(record["state"], "waiting")
            self.assertRegex(record["why"], f"groups of GPU-1a000000.*held by pid {holder.pid}")
            self.end(holder)
            self.answers(program, "use0 0")
            record = self.record(node, program)
            self.assertEqual((record["state"], record["why"]), ("granted", ""))
            self.assertIn("groups 0-14", record["granted"])
            self.assertEqual(program.communicate("")[1], "", "it is said once")

        self.in_each_case(scenario)

    def test_handlers_run_meanwhile_and_the_wait_goes_on(self):
        def scenario(node, holder):
            program = self.program(node)
            self.tell(program, "use0")
            self.waits(program)
            for _ in range(3):
                self.tell(program, "handle")
                self.answers(program, "handled 0")
            self.end(holder)
            self.answers(program, "use0 0")

        self.in_each_case(scenario)

    def test_a_handler_may_leave_by_longjmp_and_others_go_on(self):
        def scenario(node, holder):
            program = self.program(node)
            self.tell(program, "use0")
            self.waits(program)
            self.tell(program, "jump")
            self.answers(program, "jumped 1")
            self.tell(program, "use0")
            self.end(holder)
            self.answers(program, "use0 0")

        self.in_each_case(scenario)

    def test_the_thread_may_be_cancelled_and_others_go_on(self):
        def scenario(node, holder):
            program = self.program(node)
            self.tell(program, "use0")
            self.waits(program)
            self.tell(program, "cancel")
            self.answers(program, "cancel 1")
            self.assertIn(self.record(node, program)["state"], ("starting", "granted"))
            self.tell(program, "use0")
            self.waits(program)
            self.end(holder)
            self.answers(program, "use0 0")

        self.in_each_case(scenario)

    def test_a_child_that_a_handler_forks_waits_for_nothing(self):
        def scenario(node, holder):
            program = self.program(node)
            self.tell(program, "use0")
            self.waits(program)
            self.tell(program, "fork")
            self.answers(program, "child 3")
            self.end(holder)
            self.answers(program, "use0 0")

        self.in_each_case(scenario)

    def test_another_device_is_had_meanwhile(self):
        node = self.node(TWO)
        holder = self.holder(node, 0)
        program = self.program(node)
        self.tell(program, "use0")
        self.waits(program)
        self.tell(program, "use1")
        self.answers(program, "use1 0")
        self.end(holder)
        self.answers(program, "use0 0")

    def test_who_asks_the_program_to_end_ends_the_wait(self):
        code = DRIVER + f"""
import signal
signal.signal(signal.SIGTERM, signal.default_int_handler)
context = ctypes.c_void_p()
def first_use():
    return (cuda.cuInit(0) or cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
            or cuda.cuCtxSetCurrent(context))
try:
    code = first_use()
    print("code", code, flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(first_use(), flush=True)
"""
        for asks in (signal.SIGINT, signal.SIGTERM):
            def scenario(node, holder):
                program = self.start(node, [sys.executable, "-c", code])
                self.waits(program)
                program.send_signal(asks)
                self.answers(program, "interrupted")
                self.assertIn("SIGINT or SIGTERM ended the wait", program.stderr.readline())
                self.waits(program)
                self.end(holder)
                self.answers(program, "0")

            self.in_each_case(scenario)

    def test_it_is_over_in_its_time(self):
        node = self.node(policy=ALL + 'wait = "1s"')
        self.holder(node)
        program = self.program(node)
        self.tell(program, "use0")
        self.answers(program, "use0 800")
        said = program.communicate("")[1].splitlines()
        self.assertEqual(len(said), 2, said)
        self.assertIn("waits up to 1 s for groups", said[0])
        self.assertIn("; waited 1 s", said[1])

    def test_nobody_is_kept_waiting_by_who_is_refused(self):
        """Groups of one device are had, those of the other are not: the first ones are given back."""
        for on_error, code, state in (("warn", "0", "unshared"), ("fail", "800", "refused")):
            with self.subTest(on_error):
                node = self.node(TWO)
                self.holder(node, 1)
                node.policy(f'defaults.on_error = "{on_error}"\n' + rule(GREEN + "device = [0, 1]\n" + ALL))
                refused = self.program(node)
                self.tell(refused, "use0")
                self.answers(refused, f"use0 {code}")
                record = self.record(node, refused)
                self.assertEqual((record["state"], record["granted"]), (state, ""))
                node.policy(rule(GREEN + ALL))
                self.holder(node, 0)

    def test_nobody_is_kept_waiting_by_who_was_interrupted(self):
        node = self.node(TWO)
        self.holder(node, 1)
        node.policy(rule(GREEN + "device = [0, 1]\n" + ALL + 'wait = "60s"'))
        program = self.program(node)
        self.tell(program, "use0")
        self.waits(program, "GPU-2b000000")
        self.tell(program, "cancel")
        self.answers(program, "cancel 1")
        node.policy(rule(GREEN + ALL))
        self.holder(node, 0)

    def test_what_is_used_in_its_groups_is_not_given_back(self):
        node = self.node(TWO, policy=ALL)
        self.holder(node, 1)
        program = self.program(node)
        for device, code in ((0, 0), (1, 800)):
            self.tell(program, f"use{device}")
            self.answers(program, f"use{device} {code}")
        other = self.program(node)
        self.tell(other, "use0")
        self.answers(other, "use0 800")


if __name__ == "__main__":
    BUILD, SOURCE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    confine.BUILD, confine.SOURCE = BUILD, SOURCE
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
