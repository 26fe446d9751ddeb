"""AMD programs under ration: what reached the kernel, queue by queue and shader engine by shader engine, and
what the programs were told. Simulated kernel driver, no AMD hardware."""

import sys
import unittest

import support
from support import HIP, MODELS, Node

# A quarter in whole rows, one CU (or pair) of every engine of every XCC: what each engine is told.
QUARTER = {
    "mi210": [[0b111] * 8],  # 26 of 104: 3 rows of 8
    "mi100": [[0b1111] * 8],  # 30 of 120: 4 rows of 8
    "mi300x": [[0b11] * 4] * 8,  # 76 of 304: 2 rows of 32
    "navi21": [[0x30003] * 4],  # 20 of 80: 2 rows of 8, one in each array
    "navi21xl": [[0x30003] * 4],  # 18 of 72
}
SHARE = 'share = "25%"'
# Copies by DMA engines, and by kernels on queues that ROCr makes for itself.
COPIES = [{}, {"HSA_ENABLE_SDMA": "0"}]


def cus(engines):
    return sum(mask.bit_count() for xcc in engines for mask in xcc)


class Confined(unittest.TestCase):
    def works(self, run):
        self.assertEqual(run.code, 0, run.text + "\n".join(run.complaints))
        self.assertEqual(run.complaints, [])
        self.assertEqual(run.refused, [])

    def masked_from_the_start(self, run):
        """No queue ever ran without a mask, or with one under which it would hang."""
        self.assertTrue(run.compute_queues)
        waiting = set()
        for event in run.events:
            kind, queue = event["event"], (event["pid"], event.get("queue"))
            if kind == "create_queue" and event["type"] in ("aql", "compute"):
                waiting.add(queue)
            elif kind == "set_cu_mask":
                waiting.discard(queue)
                self.assertFalse(event["hangs"], event)
                self.assertGreater(event["cus"], 0)
            elif kind == "dispatch":
                self.assertNotIn(queue, waiting)
                self.assertNotEqual(event["mask"], "")
        self.assertEqual(waiting, set())

    def pairs_hold(self, run):
        pairs = [gpu["pairs"] for gpu in run.gpus]
        for event in run.of("set_cu_mask"):
            if pairs[event["gpu"]]:
                for engine in (engine for xcc in event["engines"] for engine in xcc):
                    self.assertEqual(engine & 0x55555555, engine >> 1 & 0x55555555)

    def all_have(self, run, engines, gpu=None):
        """Every compute queue, or every one of that GPU, had just these CUs from its first mask on."""
        self.works(run)
        self.masked_from_the_start(run)
        self.pairs_hold(run)
        queues = [queue for queue in run.compute_queues if gpu in (None, queue.gpu)]
        self.assertTrue(queues)
        for queue in queues:
            self.assertEqual(queue.masks[0]["engines"], engines)

    def test_a_share_holds_on_every_queue_of_every_program(self):
        for model in MODELS:
            with Node(model) as node:
                node.partition(SHARE)
                for program in [*HIP, "hsa_queues"]:
                    for copies in COPIES:
                        with self.subTest(model=model, program=program, **copies):
                            self.all_have(node.run(program, **copies), QUARTER[model])

    def test_a_share_holds_where_the_main_thread_has_ended(self):
        """Its /proc/self says nothing of descriptors."""
        with Node("mi210") as node:
            node.partition(SHARE)
            run = node.run("hsa_queues", "--orphan")
        self.all_have(run, QUARTER["mi210"])

    def test_a_share_holds_where_the_program_changes_its_list_of_devices(self):
        with Node("mi210,navi21", ROCR_VISIBLE_DEVICES="0") as node:
            # 6.4.3's second hsa_init fails over the simulated kernel, with the same list too.
            if support.OTHER_ROCM and node.run("hsa_queues", "--then", "1").code != 0:
                self.skipTest("the other ROCr cannot be initialised twice, bare neither")
            node.partition(SHARE)
            run = node.run("hsa_queues", "--then", "1")
        self.works(run)
        self.masked_from_the_start(run)
        for gpu, model in enumerate(["mi210", "navi21"]):
            masks = [queue.masks[0]["engines"] for queue in run.compute_queues if queue.gpu == gpu]
            self.assertTrue(masks)
            self.assertEqual(masks, [QUARTER[model]] * len(masks))

    def test_openmp(self):
        support.require(self, "openmp")
        with Node("mi50") as node:
            node.partition(SHARE)
            run = node.run("openmp")
        self.all_have(run, [[0b1111] * 4])  # 15 of 60: 4 rows of 4
        self.assertEqual(run.report["devices"], 1)

    def test_rocminfo_tells_the_grant(self):
        with Node("mi210,mi210") as node:
            node.partition(SHARE)
            run = node.run("rocminfo")
        self.assertEqual(run.code, 0, run.text)
        self.assertEqual(run.text.count("Compute Unit:            24 "), 2)

    def test_counts_and_masks_of_engines(self):
        for model, keys, engines in [
            ("mi210", "cu = 26", [[0b111] * 8]),
            ("mi210", "cu = 4", [[1] * 4 + [0] * 4]),
            ("mi300x", "cu = 26", [[1, 1, 1, 0]] * 8),
            ("navi21", "cu = 26", [[0x3000f] * 4]),
            ("mi210", 'cu_mask = { 0 = "0x0f", 1 = "0x7f" }', [[0x0f, 0x7f, 0, 0, 0, 0, 0, 0]]),
            ("mi300x", 'cu_mask = { 3 = "0x1" }', [[0, 0, 0, 1]] * 8),
            ("navi21", 'cu_mask = { 1 = "0x3c" }', [[0, 0x3c, 0, 0]]),
            ("mi210", SHARE + '\ndistribution = "engines"', [[0x1fff] * 2 + [0] * 6]),
            ("navi21", SHARE + '\ndistribution = "engines"', [[0x3ff03ff, 0, 0, 0]]),
        ]:
            with self.subTest(model=model, keys=keys), Node(model) as node:
                node.partition(keys)
                self.all_have(node.run("hsa_queues"), engines)

    def test_programs_are_told_what_they_have(self):
        for model, processors in {"mi210": 24, "mi300x": 64, "navi21": 8}.items():
            with self.subTest(model=model), Node(model) as node:
                # ROCm 6 takes one group more than fits on RDNA, with ration as without.
                too_many = node.run("hip_kernels").report["too_many"]
                if model == "mi210":
                    self.assertEqual(too_many, "hipErrorCooperativeLaunchTooLarge")
                node.partition(SHARE)
                run = node.run("hip_linked")
                self.assertEqual(run.report["devices"][0]["multiprocessors"], processors)
                whole = cus(QUARTER[model])
                self.assertEqual(node.run("hsa_queues").report["cus"], whole)
                for stream in run.report["streams"][:-1]:
                    self.assertEqual(int(stream["mask"], 16).bit_count(), whole)
                kernels = node.run("hip_kernels").report
                self.assertEqual(kernels["multiprocessors"], processors)
                self.assertEqual(kernels["too_many"], too_many)

    def test_streams_stay_as_the_program_asked(self):
        """Flags, priorities, and which streams share a queue are the same as without ration."""
        with Node() as node:
            arguments = ["--streams", "12"]
            bare = node.run("hip_linked", *arguments)
            node.partition(SHARE)
            confined = node.run("hip_linked", *arguments)
        kept = ("kind", "flags", "priority", "made")
        self.assertEqual(
            [[stream[key] for key in kept] for stream in bare.report["streams"]],
            [[stream[key] for key in kept] for stream in confined.report["streams"]],
        )
        shape = [[(queue.type, queue.priority) for queue in run.queues if not queue.tried]
                 for run in (bare, confined)]
        self.assertEqual(*shape)

    def test_a_mask_of_the_program_only_narrows(self):
        with Node() as node:
            node.partition(SHARE)
            run = node.run("hip_linked", "--mask", "0xff00000f")
            self.works(run)
            self.masked_from_the_start(run)
            self.assertIn(0xf, {queue.mask for queue in run.compute_queues})
            self.assertEqual({queue.mask for queue in run.compute_queues} - {0xf}, {0xffffff})
            self.assertEqual(int(run.report["streams"][-1]["mask"], 16), 0xf)
            run = node.run("hsa_queues", "80000f")
            self.works(run)
            self.assertIn(0x80000f, {queue.mask for queue in run.compute_queues})

    def test_a_mask_beyond_the_grant_is_an_error(self):
        with Node() as node:
            node.partition(SHARE)
            run = node.run("hip_linked", "--mask", "0xff000000")
            self.assertEqual(run.failed, [("hipExtStreamCreateWithCUMask", "hipErrorInvalidValue")])
            self.masked_from_the_start(run)
            self.assertEqual(len(run.complaints), 1)
            self.assertIn("ask for CUs of the grant", run.complaints[0])
            run = node.run("hsa_queues", "ff000000")
            self.assertEqual([call for call, _ in run.failed], ["hsa_amd_queue_cu_set_mask"])
            self.assertEqual({queue.mask for queue in run.compute_queues}, {0xffffff})

    def test_a_mask_of_the_environment_only_narrows(self):
        with Node() as node:
            node.partition(SHARE)
            run = node.run("hip_linked", "--mask", "0xffff", HSA_CU_MASK="0:16-40")
        for queue in run.compute_queues:
            self.assertEqual(queue.mask & ~0xffffff, 0)
            self.assertGreater(queue.mask, 0)
        self.assertIn(0xff0000, {queue.mask for queue in run.compute_queues})

    def test_a_mask_of_hip_in_the_environment_only_narrows(self):
        """HIP 5.2.3 ends a process that it tells of fewer CUs than the mask has room for."""
        for keys in (SHARE, "cu = 13"):
            for mask, told in (("0xff", 8), ("ffffffff", 32), ("0x" + "f" * 26, 104)):
                with self.subTest(keys=keys, mask=mask), Node() as node:
                    node.partition(keys)
                    run = node.run("hip_linked", ROC_GLOBAL_CU_MASK=mask)
                    self.works(run)
                    self.masked_from_the_start(run)
                    grant = run.compute_queues[0].mask
                    for queue in run.compute_queues:
                        self.assertEqual(queue.mask & ~grant, 0)
                    self.assertEqual(run.report["devices"][0]["multiprocessors"], told)
                    left = grant & int(mask, 16)
                    self.assertEqual([int(stream["mask"], 16) for stream in run.report["streams"]],
                                     [left] * 3 + [left & 0xffff])
                    streams = [queue for queue in run.compute_queues[1:] if not queue.tried]
                    self.assertEqual({queue.mask for queue in streams}, {left, left & 0xffff})

    def test_devices(self):
        with Node("mi210,navi21,mi210") as node:
            node.partition(SHARE + "\ndevice = 2")
            run = node.run("hip_linked")
            self.all_have(run, QUARTER["mi210"])
            self.assertEqual({queue.gpu for queue in run.queues}, {2})
            self.assertEqual([device["pci"] for device in run.report["devices"]], ["0000:12:00.0"])
            node.partition(SHARE + "\ndevice = [1, 0]")
            run = node.run("hip_linked", "--device", "1")
            self.assertEqual([device["pci"] for device in run.report["devices"]],
                             ["0000:11:00.0", "0000:10:00.0"])
            # On the other one a queue is tried, beside which ROCr has one of its own.
            self.assertEqual([queue.tried for queue in run.queues if queue.gpu == 1], [False, True])

    def test_a_stream_is_told_of_its_own_device(self):
        with Node("mi210,navi21") as node:
            node.partition(SHARE)
            for device, mask in ((0, 0xffffff), (1, 0xffff)):
                run = node.run("hip_linked", "--device", str(device), "--look-from",
                               str(1 - device))
                self.works(run)
                self.assertEqual({int(stream["mask"], 16) for stream in run.report["streams"][:-1]},
                                 {mask})

    def test_memory_left_on_a_partition_of_a_gpu(self):
        """All partitions of a GPU have one PCI address."""
        with Node("mi300x/cpx") as node:
            node.partition('memory = "4GiB"')
            for visible in ({}, {"HIP_VISIBLE_DEVICES": "5,2"}, {"CUDA_VISIBLE_DEVICES": "7,5,2"}):
                with self.subTest(**visible):
                    run = node.run("hip_linked", "--device", "1", "--allocate", "3072", **visible)
                    self.works(run)
                    self.assertLessEqual(run.report["left"], 1 << 30)
                    self.assertGreater(run.report["left"], 0)

    def test_devices_by_uuid(self):
        with Node("mi210,mi210") as node:
            node.partition(SHARE + '\ndevice = "GPU-5a17000000000200"')
            run = node.run("hip_linked")
        self.all_have(run, QUARTER["mi210"])
        self.assertEqual({queue.gpu for queue in run.queues}, {1})

    def test_every_gpu_has_its_own_mask(self):
        with Node("mi210,navi21") as node:
            node.partition(SHARE)
            for number, model in enumerate(["mi210", "navi21"]):
                run = node.run("hip_linked", "--device", str(number))
                self.all_have(run, QUARTER[model], number)

    def test_partitions_of_a_gpu_are_devices(self):
        with Node("mi300x/cpx") as node:
            node.partition('device = 3\nshare = "50%"')
            run = node.run("hip_linked")
        self.all_have(run, [[0b11111] * 4])  # 19 of 38: 5 rows of 4
        self.assertEqual({queue.gpu for queue in run.queues}, {3})

    def slots(self, model, keys, count):
        """What the slots of a pool get, each in a process of its own."""
        with Node(model) as node:
            node.policy(f"""
                [pool.all]
                assign = "rank"
                slots = {count}
                {keys}
                [[rule]]
                use = "pool.all"
                """)
            found = []
            for rank in range(count):
                run = node.run("hsa_queues", PARSL_WORKER_RANK=str(rank))
                self.works(run)
                self.masked_from_the_start(run)
                self.assertEqual(len({queue.masks[0]["mask"] for queue in run.compute_queues}), 1)
                found.append(run.compute_queues[0].masks[0])
            return found

    def test_slots_of_a_pool_are_disjoint(self):
        for model, count, share in [("mi210", 4, "25%"), ("mi300x", 8, "12.5%"),
                                    ("navi21xl", 3, "33%")]:
            with self.subTest(model=model):
                slots = self.slots(model, f'share = "{share}"', count)
                taken = 0
                for slot in slots:
                    mask = int(slot["mask"], 16)
                    self.assertEqual(mask & taken, 0)
                    taken |= mask
                    for xcc in slot["engines"]:
                        self.assertEqual(len({engine.bit_count() for engine in xcc}), 1)

    def test_bad_pointers_are_answered_as_by_the_kernel(self):
        with Node("mi210") as node:
            node.partition(SHARE + '\nmemory = "1GiB"')
            run = node.run("kfd_pointers")
        self.assertEqual(run.code, 0, run.complaints)
        self.assertEqual(set(run.report.values()), {"EFAULT"}, run.report)

    def test_memory(self):
        with Node("mi210") as node:
            node.partition('memory = "1GiB"')
            run = node.run("hip_linked", "--allocate", "512")
            self.works(run)
            self.assertEqual(run.report["devices"][0]["total"], 1 << 30)
            self.assertLessEqual(run.report["devices"][0]["free"], 1 << 30)
            run = node.run("hip_linked", "--allocate", "2048")
            self.assertEqual(run.failed, [("hipMalloc", "hipErrorOutOfMemory")])

    def test_the_grant_is_recorded(self):
        with Node() as node:
            node.partition(SHARE)
            run = node.run("hsa_queues")
            self.works(run)
            (record,) = node.records()
        self.assertEqual(record["mechanism"], "cu-mask")
        self.assertEqual(record["state"], "granted")
        self.assertIn("24 of 104 CUs", record["granted"])

    def test_each_vendor_has_its_record(self):
        """Of a process that uses GPUs of both."""
        if support.OTHER_ROCM:
            self.skipTest("the simulated CUDA driver belongs to this system's libraries")
        for order in (["hsa", "cuda"], ["cuda", "hsa"]):
            with self.subTest(order=order), Node() as node:
                node.policy(f"""
                    [defaults]
                    on_error = "warn"
                    [partition.it]
                    {SHARE}
                    [[rule]]
                    use = "partition.it"
                    """)
                run = node.run("both_vendors", *order, LD_LIBRARY_PATH=str(support.BUILD / "sim"),
                               CUDA_MPS_PIPE_DIRECTORY=str(node.path))
                self.assertEqual(run.code, 0, run.complaints)
                self.assertNotIn("unrecorded", "".join(run.complaints))
                records = node.records()
                # AMD's waits for a queue, and no MPS daemon serves NVIDIA's.
                self.assertEqual({record["state"] for record in records}, {"starting", "unshared"})
                self.assertEqual(len({record["pid"] for record in records}), 1)
                explained = node.told("explain", "--pid", str(records[0]["pid"]))["records"]
                self.assertCountEqual(explained, records)

    def test_a_policy_that_names_no_limit_changes_nothing(self):
        with Node() as node:
            bare = node.run("hip_linked")
            node.policy("""
                [defaults]
                no_match = "ignore"
                """)
            run = node.run("hip_linked")
        self.assertEqual(run.report, bare.report)
        self.assertEqual([queue.mask for queue in run.queues],
                         [queue.mask for queue in bare.queues])


if __name__ == "__main__":
    support.main(sys.argv)
