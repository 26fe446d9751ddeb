"""Runs whole programs on a real GPU, bare and confined: what the scripts beside this one share."""
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77  # SKIP_RETURN_CODE in CMakeLists.txt


class Run:
    def __init__(self, build, work):
        self.build = build
        self.work = work
        self.failures = 0
        self.numbers = itertools.count()
        self.environment = dict(os.environ, RATION_RUNTIME_DIR=str(work / "runtime"))
        for name in list(self.environment):
            if name.startswith(("CUDA_MPS_", "RATION_")) and name != "RATION_RUNTIME_DIR":
                del self.environment[name]

    def policy(self, name, text, partition="test"):
        path = self.work / f"{name}.toml"
        path.write_text(f"schema = 1\n[partition.{partition}]\n{text}\n"
                        f"[[rule]]\nuse = \"partition.{partition}\"\n")
        return {"LD_PRELOAD": str(self.build / "libration.so"), "RATION_POLICY": str(path)}

    def execute(self, command, extra=None, seconds=300):
        """How it ended, its last JSON line, and what ration said. Past its time it counts as ended by 124."""
        done = ended([str(part) for part in command], dict(self.environment, **(extra or {})), seconds)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        said = [line for line in done.stderr.splitlines() if line.startswith("ration:")]
        return done, (json.loads(lines[-1]) if lines else {}), said

    def report(self, what, good, detail):
        self.failures += not good
        detail = detail.replace(str(self.work), "WORK").strip().replace("\n", " | ")
        print(f"{'ok    ' if good else 'NOT OK'}  {what:<46} {detail}", flush=True)

    def skipped(self, what, why):
        print(f"skipped {what:<46} {why}", flush=True)

    def ration(self, *arguments):
        return self.execute([self.build / "ration", *arguments])[0]


def ended(command, environment, seconds):
    """The program's end, and in any case that of all that it started."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               errors="replace", env=environment, start_new_session=True)
    try:
        out, said = process.communicate(timeout=seconds)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, said = process.communicate()
        code = 124
        said += f"\nnot done after {seconds} s"
    return subprocess.CompletedProcess(command, code, out, said)


def gpus():
    """How many GPUs the driver has; asked in a process of its own, so that this one has no context."""
    ask = ("import ctypes; d = ctypes.CDLL('libcuda.so.1'); n = ctypes.c_int(); "
           "print(n.value if d.cuInit(0) or d.cuDeviceGetCount(ctypes.byref(n)) else n.value)")
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 else 0


def built(run, source, *flags):
    target = run.work / f"program{next(run.numbers)}"
    subprocess.run(["nvcc", "-std=c++20", "-arch=native", "-cudart", "static", "-o", target,
                    HERE / "programs" / source, *flags, "-lcuda"], check=True)
    return target


def programs(work):
    """The programs that this machine has, by name; says which it has not."""
    found = {}
    nvcc = shutil.which("nvcc")
    if nvcc:
        target = work / "runtime_program"
        subprocess.run([nvcc, "-cudart", "static", "-o", str(target),
                        str(HERE / "programs/runtime.cu")], check=True)
        found["nvcc, static cudart"] = [target]
    else:
        print("skipped: nvcc, static cudart: no nvcc on PATH")
    for module, label in (("cupy", "CuPy"), ("torch", "PyTorch")):
        probe = subprocess.run([sys.executable, "-c", f"import {module}; print({module}.__version__)"],
                               capture_output=True, text=True, check=False)
        if probe.returncode == 0:
            name = f"{label} {probe.stdout.split()[-1]}"
            found[name] = [sys.executable, HERE / f"programs/{module}_program.py"]
        else:
            why = probe.stderr.strip().splitlines()[-1]
            print(f"skipped: {label}: {sys.executable} cannot import it: {why}")
    return found
