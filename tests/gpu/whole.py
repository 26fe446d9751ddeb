"""Runs whole programs on a real GPU, bare and confined: what confined.py and green.py share."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77  # SKIP_RETURN_CODE in CMakeLists.txt


class Run:
    def __init__(self, build, work):
        self.build = build
        self.work = work
        self.failures = 0
        self.environment = dict(os.environ, RATION_RUNTIME_DIR=str(work / "runtime"))
        for name in list(self.environment):
            if name.startswith(("CUDA_MPS_", "RATION_")) and name != "RATION_RUNTIME_DIR":
                del self.environment[name]

    def policy(self, name, text):
        path = self.work / f"{name}.toml"
        path.write_text(f"schema = 1\n[partition.test]\n{text}\n[[rule]]\nuse = \"partition.test\"\n")
        return {"LD_PRELOAD": str(self.build / "libration.so"), "RATION_POLICY": str(path)}

    def execute(self, command, extra=None):
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                              timeout=300, env=dict(self.environment, **(extra or {})))
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        said = [line for line in done.stderr.splitlines() if line.startswith("ration:")]
        return done, (json.loads(lines[-1]) if lines else {}), said

    def report(self, what, good, detail):
        self.failures += not good
        detail = detail.replace(str(self.work), "WORK")
        print(f"{'ok    ' if good else 'NOT OK'}  {what:<46} {detail}", flush=True)

    def ration(self, *arguments):
        return self.execute([self.build / "ration", *arguments])[0]


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
