"""What goes wrong: policies that this GPU cannot keep, and a kernel that refuses. Programs get the API's own
error, people one line that says what to do, and no queue runs without its mask."""

import sys
import unittest

import support
from support import HIP, Node

SHARE = 'share = "25%"'
FIRST_GPU = 4097  # its KFD id
WARN = """
    [defaults]
    on_error = "warn"
    [partition.it]
    {keys}
    [[rule]]
    use = "partition.it"
    """


class Policies(unittest.TestCase):
    """A refusal that the policy causes."""

    def refused(self, node, program, *arguments):
        run = node.run(program, *arguments)
        self.assertGreater(run.code, 0, f"{program}: {run.text}")  # negative: a signal
        lines = [line for line in run.complaints if line.startswith("ration: ")]
        self.assertEqual(len(lines), 1, run.complaints)
        self.assertEqual(run.queues, [])
        return run, lines[0]

    def test_less_than_can_be_had(self):
        with Node("mi210") as node:
            node.partition('share = "0.1%"')
            for program in [*HIP, "hsa_queues", "rocminfo"]:
                with self.subTest(program=program):
                    _, line = self.refused(node, program)
                    self.assertRegex(line, r"policy\.toml:\d+:\d+: .*GPU 0 .*nearest share")

    def test_errors_are_the_apis_own(self):
        with Node("mi210") as node:
            node.partition('share = "0.1%"')
            for program in ("hip_linked", "hip_dlopened"):
                run, _ = self.refused(node, program, "--init")
                self.assertEqual(run.failed, [
                    ("hipInit", "hipErrorNoDevice"),
                    ("hipGetDeviceCount", "hipErrorNoDevice"),
                    ("hipStreamCreate", "hipErrorNoDevice"),
                ])
            out_of_resources = 0x1008
            run, _ = self.refused(node, "hsa_queues")
            self.assertEqual(run.failed, [("hsa_init", out_of_resources)])

    def test_openmp(self):
        support.require(self, "openmp")
        with Node("mi50") as node:
            node.partition('share = "0.1%"')
            self.refused(node, "openmp")

    def test_masks_that_the_gpu_cannot_have(self):
        for model, mask in [
            ("mi210", '{ 0 = "0x4000" }'),  # wider than an engine
            ("mi210", '{ 8 = "0x1" }'),  # no such engine
            ("mi210", '{ 0 = "0x0" }'),  # empty
            ("navi21", '{ 0 = "0x1" }'),  # half a pair
        ]:
            with self.subTest(model=model, mask=mask), Node(model) as node:
                node.partition(f"cu_mask = {mask}")
                _, line = self.refused(node, "hsa_queues")
                self.assertRegex(line, r"policy\.toml:\d+:\d+: ")

    def test_what_is_nvidias(self):
        with Node("mi210") as node:
            node.partition("sm = 32")
            _, line = self.refused(node, "hsa_queues")
            self.assertIn("cu = ", line)

    def test_no_such_device(self):
        with Node("mi210") as node:
            node.partition("device = 1\n" + SHARE)
            self.refused(node, "hip_linked")

    def test_denied(self):
        with Node("mi210") as node:
            node.policy("""
                [defaults]
                no_match = "deny"
                """)
            self.refused(node, "hip_linked")

    def test_a_child_that_cannot_decide(self):
        with Node("mi210") as node:
            node.partition(SHARE)
            run = node.run("kfd_children")
        self.assertEqual(run.code, 0, run.text)
        self.assertEqual(run.report, {"kfd": "EPERM", "other": "ENOTTY"})
        self.assertEqual(len(run.complaints), 2, run.complaints)

    def test_warned_instead(self):
        with Node("mi210") as node:
            node.policy(WARN.format(keys='share = "0.1%"'))
            run = node.run("hip_linked")
        self.assertEqual(run.code, 0, run.text)
        self.assertEqual(len(run.complaints), 1)
        self.assertTrue(run.report["equal"])


class Kernel(unittest.TestCase):
    """A kernel that refuses."""

    def test_interrupted_masks_are_asked_for_again(self):
        fail = "SET_CU_MASK=EINTR*3,SET_CU_MASK=EAGAIN*3@4"
        with Node("mi210", fail) as node:
            node.partition(SHARE)
            run = node.run("hsa_queues")
        self.assertEqual(run.code, 0, run.text)
        self.assertEqual(run.complaints, [])
        self.assertEqual(len(run.refused), 6)
        self.assertNotIn(None, {queue.mask for queue in run.compute_queues})

    def test_a_queue_of_a_short_request_has_its_mask(self):
        with Node("mi210") as node:
            node.partition(SHARE)
            run = node.run("kfd_short", str(FIRST_GPU))
        self.assertEqual(run.text.strip(), "0", run.complaints)
        (queue,) = run.compute_queues
        self.assertIsNotNone(queue.mask)

    def test_a_mask_that_is_put_off_for_ever_is_refused(self):
        """The thunk repeats EAGAIN and EINTR without end."""
        for error in ("EAGAIN", "EINTR"):
            with self.subTest(error=error), Node("mi210", f"SET_CU_MASK={error}") as node:
                node.partition(SHARE)
                run = node.run("hip_linked")
                self.assertEqual(run.failed[0], ("hipGetDeviceCount", "hipErrorNoDevice"))
                self.refused_in_one_line(run, "refuses the CU mask")

    def refused_in_one_line(self, run, words):
        self.assertGreater(run.code, 0, run.text)  # negative: a signal
        lines = [line for line in run.complaints if line.startswith("ration: ")]
        self.assertEqual(len(lines), 1, run.complaints)
        self.assertIn(words, lines[0])
        self.assertEqual([queue for queue in run.queues if queue.mask is None and not queue.ended], [])
        self.assertEqual(run.of("dispatch"), [])

    def test_without_its_mask_no_program_starts(self):
        """HIP 5.2.3 crashes where its null stream has no queue, so its devices are not there already."""
        for error, words in {"EBUSY": "busy", "EINVAL": "Invalid", "ENOMEM": "memory"}.items():
            for program in [*HIP, "hsa_queues"]:
                with self.subTest(error=error, program=program), \
                        Node("mi210", f"SET_CU_MASK={error}") as node:
                    node.partition(SHARE)
                    self.refused_in_one_line(node.run(program), words)
                    (record,) = node.records()
                    self.assertEqual(record["state"], "refused")
                    self.assertIn(words, record["why"])

    def test_a_refused_mask_is_the_apis_own_error(self):
        with Node("mi210", "SET_CU_MASK=EINVAL") as node:
            node.partition(SHARE)
            self.assertEqual(set(node.run("hsa_queues").failed), {("hsa_queue_create", 0x1008)})
            for program in ("hip_linked", "hip_dlopened"):
                self.assertEqual(node.run(program, "--init").failed, [
                    ("hipInit", "hipErrorNoDevice"),
                    ("hipGetDeviceCount", "hipErrorNoDevice"),
                    ("hipStreamCreate", "hipErrorNoDevice"),
                ])

    def test_a_queue_is_tried_on_hips_first_gpu_of_each_generation(self):
        with Node("mi210,mi210,navi21") as node:
            node.partition(SHARE)
            for visible, gpus in {"0,1,2": [0, 0, 2, 2], "1": [1, 1]}.items():
                with self.subTest(visible=visible):
                    run = node.run("hip_linked", HIP_VISIBLE_DEVICES=visible)
                    self.assertEqual(run.code, 0, run.text)
                    # ROCr's own and the trial's; the program uses HIP's first GPU alone.
                    self.assertEqual([queue.gpu for queue in run.queues][:len(gpus)], gpus)
                    self.assertLessEqual({queue.gpu for queue in run.queues}, set(gpus))
                    self.assertNotIn(None, [queue.mask for queue in run.compute_queues])
        with Node("mi210,mi210,navi21", "SET_CU_MASK=EINVAL@3") as node:
            node.partition(SHARE)
            run = node.run("hip_linked")
            self.assertEqual(run.failed[0], ("hipGetDeviceCount", "hipErrorNoDevice"))
            (line,) = [line for line in run.complaints if line.startswith("ration: ")]
            self.assertIn("gfx1030", line)
            self.assertEqual(run.of("dispatch"), [])

    def test_no_queue_is_tried_without_hip_or_need(self):
        with Node("mi210") as node:
            bare = node.run("hip_linked")
            node.partition(SHARE)
            self.assertEqual(node.run("rocminfo").queues, [])
            self.assertEqual(len(node.run("hip_linked").queues), len(bare.queues) + 1)
            node.partition('memory = "8GiB"')
            self.assertEqual(len(node.run("hip_linked").queues), len(bare.queues))
            node.policy(WARN.format(keys=SHARE))
            self.assertEqual(len(node.run("hip_linked").queues), len(bare.queues))

    def test_a_mask_that_is_refused_later_is_the_callers_error(self):
        with Node("mi210", "SET_CU_MASK=EINVAL@2") as node:
            node.partition(SHARE)
            run = node.run("hsa_queues")
            self.assertEqual({call for call, _ in run.failed}, {"hsa_queue_create"})
            self.refused_in_one_line(run, "Invalid")

    def test_a_queue_without_its_mask_stays_on_the_record(self):
        """The masks that the kernel takes afterwards make no grant of it."""
        for fail in ("SET_CU_MASK=EINVAL*2", "SET_CU_MASK=EINVAL*1@3"):
            with self.subTest(fail=fail), Node("mi210", fail) as node:
                node.policy(WARN.format(keys=SHARE))
                run = node.run("hsa_queues")
                self.assertEqual(run.code, 0, run.text)
                self.assertEqual(len(run.complaints), 1)
                (record,) = node.records()
                self.assertEqual(record["state"], "unshared")
                self.assertIn("refuses the CU mask", record["why"])

    def test_queues_that_the_kernel_refuses_are_the_programs_errors(self):
        """ration neither hides nor adds to what the program meets without it, but for the one queue that
        it tries itself."""
        for fail in ("CREATE_QUEUE=ENOMEM", "CREATE_QUEUE=EINVAL*1", "CREATE_QUEUE=ENOMEM*1@3"):
            for program in ("hsa_queues", "hip_linked"):
                with self.subTest(fail=fail, program=program), Node("mi210", fail) as node:
                    bare = node.run(program)
                    node.partition(SHARE)
                    run = node.run(program)
                    self.assertEqual(run.code, bare.code)
                    tried = program == "hip_linked" and fail == "CREATE_QUEUE=ENOMEM"
                    self.assertEqual(len(run.refused), len(bare.refused) + tried)
                    self.assertNotIn(None, {queue.mask for queue in run.compute_queues})

    def test_a_trial_without_a_queue_refuses_nothing(self):
        for fail in ("CREATE_QUEUE=ENOMEM*1", "CREATE_QUEUE=EINVAL*1@2"):
            with self.subTest(fail=fail), Node("mi210", fail) as node:
                node.partition(SHARE)
                run = node.run("hip_linked")
                self.assertEqual(run.code, 0, run.text)
                self.assertNotIn(None, {queue.mask for queue in run.compute_queues})

    def test_memory_that_the_kernel_refuses_is_the_programs_error(self):
        with Node("mi210", "ALLOC_MEMORY_OF_GPU=ENOMEM*1@20") as node:
            bare = node.run("hip_linked")
            node.partition(SHARE + '\nmemory = "8GiB"')
            run = node.run("hip_linked")
        self.assertEqual(run.code, bare.code)


if __name__ == "__main__":
    support.main(sys.argv)
