#!/usr/bin/env python3
"""Runs unmodified programs on a real NVIDIA GPU, bare and inside a share, and compares.

usage: tests/gpu/confined.py [BUILD]     BUILD: folder with libration.so (default build/release)

Programs: a CUDA runtime program built by nvcc with static cudart, CuPy, PyTorch; what the machine does
not have is listed as skipped, and where it has none of them that is all. Each runs bare, under share = "25%" by LD_PRELOAD and a policy file, by
`ration run`, with memory = "2GiB", beside as many clients as the MPS server takes, and without an MPS
daemon. Starts an MPS daemon of its own and stops
it. Exit status: 0 if every line is as the policy says, 1 if one is not, 77 if there was no program to run.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

from whole import SKIPPED, Run, programs

LIMIT_MIB = 2048
SMALL_MIB = LIMIT_MIB - 1024  # 1 GiB below the limit: succeeds
LARGE_MIB = LIMIT_MIB + 256   # 256 MiB above it: error 2
OUT_OF_MEMORY = 2             # CUDA_ERROR_OUT_OF_MEMORY, cudaErrorMemoryAllocation


def granted_sms(percent, total):
    """What MPS grants: rounded down to an even count, at least 8 (measured, H100)."""
    return max(8, int(percent * total / 100) // 2 * 2)


def confine(run, name, command):
    sizes = [str(SMALL_MIB), str(LARGE_MIB)]
    _, bare, _ = run.execute([*command, *sizes])
    total = bare.get("sms", 0)
    run.report(f"{name}: bare", total > 0 and bare.get("distinct") == total, json.dumps(bare))

    want = granted_sms(25, total)
    share = run.policy("share", 'share = "25%"')
    _, result, said = run.execute([*command, *sizes], share)
    run.report(f"{name}: share = \"25%\"",
               result.get("sms") == want and result.get("distinct") == want and not said,
               json.dumps(result) + f" want {want}" + "".join(said))

    _, result, said = run.execute([run.build / "ration", "run", "--share", "25%", "--", *command,
                                   *sizes])
    run.report(f"{name}: ration run --share 25%",
               result.get("sms") == want and result.get("distinct") == want,
               json.dumps(result) + "".join(said))

    memory = run.policy("memory", f'share = "25%"\nmemory = "{LIMIT_MIB // 1024}GiB"')
    _, result, said = run.execute([*command, *sizes], memory)
    run.report(f"{name}: memory = \"2GiB\", {SMALL_MIB} MiB fit, {LARGE_MIB} do not",
               result.get("small") == 0 and result.get("large") == OUT_OF_MEMORY,
               json.dumps(result) + "".join(said))
    return share


CLIENTS = 60  # of which the server takes 48 (drivers up to CUDA 13.0), or all
HOLD = """
import ctypes, sys
driver, context = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p()
driver.cuInit(0)
print(driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0), flush=True)
sys.stdin.read()
"""


def fill_server(run):
    """Starts clients until the server is full; the list of their processes."""
    environment = dict(run.environment, LD_PRELOAD=str(run.build / "libration.so"),
                       RATION_SHARE="100%")
    clients = [subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
               for _ in range(CLIENTS)]
    codes = [client.stdout.readline().strip() for client in clients]
    print(f"        {codes.count('0')} of {CLIENTS} clients have a context, the others got "
          f"{sorted(set(codes) - {'0'})}")
    return clients


def beside_a_full_server(run, found, shares):
    clients = fill_server(run)
    for name, command in found.items():
        done, result, said = run.execute([*command, "1", "1"], shares[name])
        run.report(f"{name}: the server is full",
                   done.returncode != 0 and len(said) == 1 and "as many clients" in said[0],
                   f"exit {done.returncode}, {json.dumps(result)}, {' '.join(said)}")
    for client in clients:
        client.communicate()


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/release").resolve()
    with tempfile.TemporaryDirectory(prefix="ration-gpu-") as folder:
        run = Run(build, pathlib.Path(folder))
        found = programs(run.work)
        if not found:
            print("nothing was tested: install nvcc, CuPy or PyTorch")
            return SKIPPED
        started = run.ration("mps", "ensure")
        run.report("ration mps ensure", started.returncode == 0,
                   (started.stdout + started.stderr).strip().replace("\n", " | "))
        try:
            shares = {name: confine(run, name, command) for name, command in found.items()}
            print(run.ration("ps", "--recent").stdout, end="")
            beside_a_full_server(run, found, shares)
        finally:
            stopped = run.ration("mps", "stop")
            run.report("ration mps stop", stopped.returncode == 0,
                       (stopped.stdout + stopped.stderr).strip().replace("\n", " | "))
        for name, command in found.items():
            done, result, said = run.execute([*command, "1", "1"], shares[name])
            run.report(f"{name}: no MPS daemon",
                       done.returncode != 0 and len(said) == 1 and "ration mps ensure" in said[0],
                       f"exit {done.returncode}, {json.dumps(result)}, {' '.join(said)}")
    print(f"{run.failures} not as the policy says" if run.failures else "all as the policy says")
    return 1 if run.failures else 0


sys.exit(main())
