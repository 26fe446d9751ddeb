"""ration on nodes with AMD GPUs: explain and doctor. The kernel driver is simulated; no AMD hardware."""

import unittest

import support
from support import BUILD

KERNEL = BUILD / "sim/libsimkfd.so"
EIGHTHS = """schema = 1
[pool.eighths]
share = ["12.5%", "12.5%", "12.5%", "12.5%", "12.5%", "12.5%", "12.5%", "12.5%"]
[[rule]]
use = "pool.eighths"
"""


@unittest.skipUnless(KERNEL.exists(), "the simulated kernel driver is not built: no ROCm here")
@unittest.skipIf(support.SANITIZED, "the simulated driver brings a libstdc++ without ASan")
class Amd(support.Case):
    """A node with AMD GPUs alone, unless a test adds NVIDIA's."""

    def setUp(self):
        super().setUp()
        self.environment["LD_PRELOAD"] = str(KERNEL)
        self.environment["LD_LIBRARY_PATH"] = ""
        self.environment["SIM_KFD_GPUS"] = "mi210"

    def lines(self, *options, code=0, variables=None):
        printed = self.ration("explain", *options, "--", "true", code=code, variables=variables)
        return printed.splitlines()

    def test_grant_line(self):
        self.assertEqual(
            self.lines("--share", "25%", "--memory", "2GiB")[-1],
            "predicted: asked 25 %, granted 24 of 104 CUs (23.1 %), cu-mask, concurrent: yes, "
            "memory 2048 MiB",
        )

    def test_mask_is_drawn_by_engine(self):
        lines = [line.split() for line in self.lines("--cu-mask", "0=0x0f,2=0x5")]
        self.assertIn(["SE0", "####.........", "4", "of", "13"], lines)
        self.assertIn(["SE1", ".............", "0", "of", "13"], lines)
        self.assertIn(["SE2", "#.#..........", "2", "of", "13"], lines)

    def test_xccs_that_are_alike_are_drawn_once(self):
        lines = self.lines("--share", "25%", variables={"SIM_KFD_GPUS": "mi300x"})
        drawn = [line for line in lines if "SE0" in line]
        self.assertEqual([line.split() for line in drawn], [["XCC0-7", "SE0", "##........", "2", "of", "10"]])

    def test_pool_says_what_each_slot_gets_and_what_stays_idle(self):
        self.environment["RATION_POLICY"] = str(self.write("eighths.toml", EIGHTHS))
        variables = {"LOCAL_RANK": "3", "SIM_KFD_GPUS": "mi300x"}
        lines = self.lines(variables=variables)
        self.assertIn("pool        CUs of GPU 0 by slot: " + ", ".join(["32"] * 8) + "; idle: 48", lines)
        self.assertTrue(any("partition mode CPX would make 8 GPUs of 38 CUs" in line for line in lines))
        told = self.json("explain", "--", "true", variables=variables)
        self.assertEqual(told["amd"]["pool"], [{"index": 0, "slots": [32] * 8, "idle": 48}])

    def test_every_rank_has_cus_of_its_own(self):
        self.environment["RATION_POLICY"] = str(self.write("eighths.toml", EIGHTHS))
        used = 0
        for rank in range(8):
            told = self.json(
                "explain", "--", "true",
                variables={"LOCAL_RANK": str(rank), "SIM_KFD_GPUS": "mi300x"},
            )
            mask = int(told["amd"]["devices"][0]["mask"], 16)
            self.assertEqual(mask & used, 0)
            used |= mask
        self.assertEqual(bin(used).count("1"), 256)

    def test_refusals_name_the_gpu_and_the_nearest(self):
        cases = [
            ("mi300x", ("--share", "1%"), "GPU 0", 'the nearest share is "2.64%"'),
            ("navi21", ("--share", "1%"), "as they come in pairs", '"2.5%"'),
            ("mi210", ("--cu", "105"), "GPU 0", "cu = 104"),
            ("mi210", ("--cu-mask", "0=0x3fff"), "has 13 CUs in shader engine 0", '0 = "0x1fff"'),
            ("mi210", ("--cu-mask", "9=0x1"), "has no shader engine 9, but 0 to 7", "a share of"),
            ("navi21", ("--cu-mask", "0=0x7"), "half a pair", '0 = "0x0f"'),
        ]
        for model, options, what, nearest in cases:
            line = self.lines(*options, code=1, variables={"SIM_KFD_GPUS": model})[-1]
            self.assertTrue(line.startswith("refused: "), line)
            self.assertIn(what, line)
            self.assertIn(nearest, line)

    def test_devices_become_the_list_of_rocr(self):
        told = self.json(
            "explain", "--share", "25%", "--device", "1", "--", "true",
            variables={"SIM_KFD_GPUS": "mi210,mi300x", "HIP_VISIBLE_DEVICES": "1,0"},
        )
        [device] = told["amd"]["devices"]
        self.assertEqual(device["cus"], 304)
        self.assertEqual(told["amd"]["environment"]["ROCR_VISIBLE_DEVICES"], device["uuid"])
        self.assertEqual(told["amd"]["environment"]["HIP_VISIBLE_DEVICES"], "0")
        line = self.lines(
            "--device", "1", code=1,
            variables={"SIM_KFD_GPUS": "mi210,mi300x", "ROCR_VISIBLE_DEVICES": "0"},
        )[-1]
        self.assertIn("ROCR_VISIBLE_DEVICES=0", line)

    def test_masks_in_the_environment_narrow_the_grant(self):
        lines = self.lines("--share", "25%", variables={"HSA_CU_MASK": "0:0-7"})
        self.assertIn("granted 8 of 104 CUs", lines[-1])
        self.assertTrue(any("HSA_CU_MASK=0:0-7" in line and "8 of 24" in line for line in lines))
        line = self.lines("--share", "25%", code=1, variables={"HSA_CU_MASK": "0:90-95"})[-1]
        self.assertIn("unset it", line)

    def test_sizes_of_nvidia_are_refused_with_what_to_write(self):
        policy = self.write(
            "sm.toml", 'schema = 1\n[partition.a]\nsm = 8\n[[rule]]\nuse = "partition.a"\n'
        )
        line = self.lines("--policy", str(policy), code=1)[-1]
        self.assertIn("sm.toml:2:12: sm counts the SMs of NVIDIA GPUs: for AMD GPUs write cu = N", line)

    def test_json_of_amd_alone_has_its_grant(self):
        told = self.json("explain", "--share", "25%", "--", "true")
        self.assertEqual(told["grant"]["granted"], "24 of 104 CUs (23.1 %)")
        self.assertTrue(told["grant"]["predicted"])
        self.assertEqual(told["grant"]["devices"], [told["amd"]["devices"][0]["uuid"]])
        self.assertEqual(told["refusals"], [])

    def test_both_vendors(self):
        self.environment["LD_LIBRARY_PATH"] = f"{BUILD}/sim"
        self.daemon()
        lines = self.lines("--share", "25%")
        self.assertTrue(lines[-2].startswith("NVIDIA: predicted: asked 25 %, granted 32 of 132 SMs"))
        self.assertTrue(lines[-1].startswith("AMD: predicted: asked 25 %, granted 24 of 104 CUs"))
        told = self.json("explain", "--share", "25%", "--", "true")
        self.assertEqual(told["grant"]["mechanism"], "mps")
        self.assertEqual(told["amd"]["grant"]["mechanism"], "cu-mask")

    def test_neither_vendor(self):
        told = self.json(
            "explain", "--share", "25%", "--", "true", code=1, variables={"SIM_KFD_GPUS": "none"}
        )
        self.assertIsNone(told["amd"])

    def test_doctor(self):
        told = self.json("doctor", variables={"SIM_KFD_GPUS": "mi300x,navi21", "HSA_CU_MASK": "0:0-7"})
        self.assertEqual([gpu["cus"] for gpu in told["amd"]["gpus"]], [304, 80])
        self.assertEqual(told["amd"]["variables"], [{"name": "HSA_CU_MASK", "value": "0:0-7"}])
        self.assertEqual(
            [finding["text"] for finding in told["findings"]],
            ["HSA_CU_MASK=0:0-7 is in the environment and leaves 8 of 304 CUs on GPU 0 "
             "(aqua_vanjaram, gfx942, 304 CUs)"],
        )
        printed = self.ration("doctor", variables={"SIM_KFD_GPUS": "mi300x,navi21"})
        self.assertIn("304 CUs, 8 XCCs of 4 shader engines", printed)
        self.assertIn("CUs in pairs", printed)
        self.assertTrue(printed.endswith("ok\n"), "NVIDIA's driver is not missed")

    def test_doctor_of_both_vendors(self):
        self.environment["LD_LIBRARY_PATH"] = f"{BUILD}/sim"
        told = self.json("doctor")
        self.assertEqual(len(told["nvml"]["devices"]), 1)
        self.assertEqual(len(told["amd"]["gpus"]), 1)
        self.assertIsNotNone(told["mps"])


if __name__ == "__main__":
    support.main()
