"""AMD programs without ration over the simulated kernel driver: ROCm itself finds nothing amiss. What the
other tests of this folder conclude from masks rests on this."""

import re
import sys
import unittest

import support
from support import HIP, MODELS, OTHER_ROCM, Node

# AMDKFD_IOC_DBG_TRAP of ROCm's own kernel driver: ROCr asks for it and does without.
DEBUGGER = 0x82


class Bare(unittest.TestCase):
    def each(self, programs, **variables):
        runs = []
        for model in MODELS:
            with Node(model, **variables) as node:
                for program in programs:
                    with self.subTest(model=model, program=program):
                        run = node.run(program)
                        self.assertEqual(run.code, 0, run.text + "\n".join(run.complaints))
                        unknown = {event["number"] for event in run.of("unknown_ioctl")}
                        self.assertLessEqual(unknown, {DEBUGGER})
                        self.assertEqual(run.of("refused"), [])
                        self.assertEqual(run.of("unknown_sdma_packet"), [])
                        runs.append(run)
        return runs

    def test_programs_run(self):
        for run in self.each([*HIP, "hsa_queues"]):
            self.assertEqual(run.failed, [])
            self.assertTrue(run.compute_queues)

    def test_copies_arrive(self):
        for run in self.each(["hip_linked", "hip_dlopened"]):
            self.assertTrue(run.report["equal"])
            self.assertIn("sdma", {queue.type for queue in run.queues})

    def test_nobody_masks_but_who_asks_for_it(self):
        for run in self.each(["hip_linked"]):
            masked = [queue for queue in run.compute_queues if queue.mask is not None]
            # Since ROCm 5.7 HIP counts in work-group processors where there are such.
            pairs = OTHER_ROCM and run.gpus[0]["pairs"]
            asked = 0xffffffff if pairs else 0xffff
            self.assertEqual([queue.mask for queue in masked], [asked])
            self.assertGreater(len(run.compute_queues), 1)

    # Copies by kernels make ROCr create queues of its own.
    def test_copies_by_kernels_take_compute_queues(self):
        for run in self.each(["hip_linked"], HSA_ENABLE_SDMA="0"):
            self.assertNotIn("sdma", {queue.type for queue in run.queues})
            streams = len(run.report["streams"])
            self.assertGreater(sum(queue.dispatches for queue in run.compute_queues), 0)
            self.assertGreater(len(run.compute_queues), streams)

    def test_plain_streams_share_four_queues(self):
        with Node() as node:
            few = node.run("hip_linked", "--streams", "8")
            many = node.run("hip_linked", "--streams", "20")
        self.assertEqual(len(few.compute_queues), len(many.compute_queues))

    def test_compute_units_are_those_of_the_part(self):
        for model, units in {"mi210": 104, "mi100": 120, "mi300x": 304, "mi300x/cpx": 38}.items():
            with Node(model) as node:
                devices = node.run("hip_linked").report["devices"]
                self.assertEqual({device["multiprocessors"] for device in devices}, {units})
        with Node("mi300x/cpx") as node:
            self.assertEqual(len(node.run("hip_linked").report["devices"]), 8)
        # HIP counts work-group processors here.
        with Node("navi21") as node:
            self.assertEqual(node.run("hip_linked").report["devices"][0]["multiprocessors"], 40)
            self.assertEqual(node.run("hsa_queues").report["cus"], 80)

    def test_every_gpu_of_several_works(self):
        with Node("mi210,navi21,mi210") as node:
            for number in range(3):
                run = node.run("hip_linked", ROCR_VISIBLE_DEVICES=str(number))
                self.assertEqual(run.failed, [])
                self.assertTrue(run.report["equal"])
                self.assertEqual({queue.gpu for queue in run.queues}, {number})
                self.assertEqual(run.report["devices"][0]["pci"], f"0000:{0x10 + number:x}:00.0")

    def test_rocminfo_lists_the_node(self):
        with Node("mi210,navi21") as node:
            run = node.run("rocminfo")
        self.assertEqual(run.code, 0, run.text)
        self.assertEqual(re.findall(r"Compute Unit: +(\d+)", run.text)[1:], ["104", "80"])
        self.assertIn("AMD Instinct MI210", run.text)

    def test_openmp_runs(self):
        support.require(self, "openmp")
        with Node("mi50,mi50") as node:
            run = node.run("openmp")
        self.assertEqual(run.report, {"route": "openmp", "devices": 2})
        self.assertEqual(run.code, 0)
        self.assertGreater(sum(queue.dispatches for queue in run.compute_queues), 0)

    def test_memory_ends(self):
        with Node("navi21") as node:
            self.assertEqual(node.run("hip_linked", "--allocate", str(8 << 10)).failed, [])
            run = node.run("hip_linked", "--allocate", str(17 << 10))
        self.assertEqual(run.failed, [("hipMalloc", "hipErrorOutOfMemory")])


if __name__ == "__main__":
    support.main(sys.argv)
