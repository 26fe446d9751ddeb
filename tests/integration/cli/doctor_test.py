"""ration doctor: the node, a program, a driver library."""

import ctypes
import subprocess

import support
from support import BUILD, LIBRARY


class Node(support.Case):
    def test_healthy(self):
        told = self.json("doctor")
        self.assertEqual(told["driver"]["version"], "13.0")
        self.assertEqual(told["driver"]["init_name"], "CUDA_SUCCESS")
        self.assertEqual(told["driver"]["library"], str((BUILD / "sim/libcuda.so.1").resolve()))
        self.assertEqual(told["driver"]["devices"][0]["sms"], 132)
        coarse, fine = told["driver"]["devices"][0]["groups"]
        self.assertEqual((coarse["sizes"], coarse["rest"]), ([8] * 15, 12))
        self.assertEqual((fine["sizes"], fine["rest"]), ([2] * 66, 0))
        self.assertIn("15 of 8 SMs, 12 SMs in none; fine: 66 of 2 SMs\n", self.ration("doctor"))
        self.assertEqual(
            told["driver"]["devices"][0]["uuid"], told["nvml"]["devices"][0]["uuid"]
        )
        self.assertEqual(told["library"]["path"], str(LIBRARY))
        self.assertEqual(told["runtime_directory"]["root"], f"{self.root}/run")
        self.assertFalse(any(finding["problem"] for finding in told["findings"]))
        self.assertTrue(self.ration("doctor").endswith("ok\n"))

    def test_older_driver(self):
        told = self.json("doctor", variables={"LD_LIBRARY_PATH": f"{BUILD}/sim/11.4:{BUILD}/sim"})
        self.assertEqual(told["driver"]["version"], "11.4")

    def problem(self, **variables):
        printed = self.ration("doctor", code=1, variables=variables)
        return [line for line in printed.splitlines() if line.startswith("problem: ")]

    def test_no_driver(self):
        self.assertIn("no CUDA driver", self.problem(LD_LIBRARY_PATH="")[0])

    def test_driver_that_refuses(self):
        self.assertIn("CUDA_ERROR_NO_DEVICE", self.problem(SIM_CUDA_GPUS="none")[0])
        self.assertIn(
            "of different versions", self.problem(SIM_CUDA_FAIL="cuInit=803")[0]
        )

    def driver_that(self, body):
        """A libcuda.so.1 that does something in cuInit."""
        source = self.write("cuda.c", "#include <stdlib.h>\n#include <unistd.h>\n"
                            f"int cuInit(unsigned f) {{ {body} return (int)f; }}\n")
        folder = self.root / "driver"
        folder.mkdir()
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-o", folder / "libcuda.so.1", source], check=True
        )
        return str(folder)

    def test_driver_that_crashes(self):
        folder = self.driver_that("abort();")
        self.assertIn("signal 6", self.problem(LD_LIBRARY_PATH=folder)[0])

    def test_driver_that_hangs(self):
        folder = self.driver_that("pause();")
        done = self.ration(
            "doctor", "--timeout", "1", code=1, variables={"LD_LIBRARY_PATH": folder}
        )
        self.assertIn("did not answer in time", done)
        self.assertIn(f"{folder}/libcuda.so.1", done)  # what was learned before stays

    def test_driver_that_exits(self):
        folder = self.driver_that("_exit(0);")
        self.assertIn("ended the process", self.problem(LD_LIBRARY_PATH=folder)[0])

    def test_driver_that_prints(self):
        folder = self.driver_that('write(1, "hello\\n", 6);')
        self.assertEqual(self.json("doctor", variables={"LD_LIBRARY_PATH": folder})["driver"]["init"], 0)

    def test_mig(self):
        gpus = {"SIM_CUDA_GPUS": "h100,h100/3g.40gb/3g.40gb"}
        told = self.json("doctor", variables=gpus)
        self.assertEqual(len(told["nvml"]["devices"]), 2)
        instances = told["nvml"]["mig_instances"]
        self.assertEqual([instance["device"] for instance in instances], [1, 1])
        self.assertTrue(instances[0]["uuid"].startswith("MIG-"))
        self.assertIn(instances[0]["uuid"], self.ration("doctor", variables=gpus))

    def test_daemon(self):
        self.assertIn("ration mps ensure", self.ration("doctor"))
        self.daemon()
        self.assertNotIn("ration mps ensure", self.ration("doctor"))
        alive = [each for each in self.json("doctor")["mps"]["daemons"] if each["state"] == "alive"]
        self.assertEqual(alive[0]["origin"], "private")

    def test_asking_the_driver_starts_no_server(self):
        self.daemon()
        self.ration("doctor")
        self.assertEqual(self.json("mps", "status")["daemons"][0]["servers"], [])

    def test_policy_with_mistakes(self):
        policy = self.write("p.toml", "schema = 2\n")
        self.assertIn("ration check", self.problem(RATION_POLICY=str(policy))[0])


class Binary(support.Case):
    def test_reached(self):
        told = self.json("doctor", "sh")["binary"]
        self.assertTrue(told["reached"])
        self.assertIn("ld-linux", told["loader"])

    def test_linked_to_the_driver(self):
        self.assertIn("libcuda.so.1", self.json("doctor", BUILD / "apps/linked")["binary"]["cuda"])

    def test_not_reached(self):
        told = self.json("doctor", BUILD / "static_program", code=1)
        self.assertFalse(told["binary"]["reached"])
        self.assertIn("statically linked", told["findings"][0]["text"])

    def test_missing(self):
        self.assertIn("no such program", self.ration("doctor", "no-such-program", code=1))


class Driver(support.Case):
    def audit(self, version, code=0):
        return self.json("doctor", "--driver", BUILD / "sim" / version / "libcuda.so.1", code=code)[
            "audit"
        ]

    def test_current(self):
        told = self.audit("13.0")
        self.assertEqual((told["missing"], told["unhooked"], told["unknown"]), ([], [], []))
        self.assertIn("cuCtxCreate_v4", told["hooked"])

    def test_older(self):
        self.assertEqual(
            self.audit("11.4")["missing"], ["cuCtxCreate_v4", "cuGetProcAddress_v2"]
        )

    def test_future(self):
        names = (
            "cuInit", "cuCtxCreate_v5", "cuInit_v2", "cuGreenCtxCreate", "cuMemAlloc_v9",
            "cuLaunchKernel", "cuGLGetDevices", "cudbgApiInit",
        )
        source = self.write("cuda.c", "".join(f"int {name}(void) {{ return 0; }}\n" for name in names))
        file = self.root / "libcuda.so.1"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", file, source], check=True)
        told = self.json("doctor", "--driver", file, code=1)
        self.assertEqual(told["audit"]["unhooked"], ["cuCtxCreate_v5", "cuInit_v2"])
        self.assertEqual(told["audit"]["unknown"], ["cuMemAlloc_v9"])
        notes = [one["text"] for one in told["findings"] if not one["problem"]]
        self.assertIn("cuMemAlloc_v9 is newer than what this ration knows", notes[0])
        self.assertEqual([one["symbol"] for one in told["audit"]["harmless"]], ["cuGreenCtxCreate"])
        self.assertIn("cuCtxCreate_v5", self.ration("doctor", "--driver", file, code=1))

    def test_no_driver(self):
        self.assertIn("no cuInit", self.complaint("doctor", "--driver", LIBRARY_OF_C, code=1))
        self.complaint("doctor", "--driver", self.write("text", "x"), code=1)
        self.complaint("doctor", "--driver", self.root / "none", code=1)


def loaded_c_library():
    """The path of this process's libc."""
    ctypes.CDLL("libc.so.6")
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return next(line.split()[-1] for line in maps if "/libc.so.6" in line or "/libc-" in line)


LIBRARY_OF_C = loaded_c_library()

if __name__ == "__main__":
    support.main()
