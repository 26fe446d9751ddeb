#!/usr/bin/env python3
"""Route 4: Python's ctypes, as numba and many a script do."""

import ctypes
import json
import os
import sys
import uuid

ALLOCATION = 64 << 20
SM_COUNT = 16  # CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT


class Failed(Exception):
    """A driver call that did not return CUDA_SUCCESS: its name and the result."""


class Driver:
    """Calls of libcuda.so.1 that raise Failed."""

    def __init__(self):
        self.library = ctypes.CDLL("libcuda.so.1")

    def __getattr__(self, name):
        function = getattr(self.library, name)

        def call(*arguments):
            result = function(*arguments)
            if result != 0:
                raise Failed(name, result)

        return call


def report():
    """What the first device offers this process, as a dictionary."""
    driver = Driver()
    by = ctypes.byref
    count, device, sms = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    name, identity = ctypes.create_string_buffer(128), (ctypes.c_ubyte * 16)()
    context, memory = ctypes.c_void_p(), ctypes.c_uint64()
    total, before, after = ctypes.c_size_t(), ctypes.c_size_t(), ctypes.c_size_t()
    driver.cuInit(0)
    driver.cuDeviceGetCount(by(count))
    driver.cuDeviceGet(by(device), 0)
    driver.cuDeviceGetName(name, len(name), device)
    driver.cuDeviceGetUuid_v2(identity, device)
    driver.cuDeviceGetAttribute(by(sms), SM_COUNT, device)
    driver.cuDevicePrimaryCtxRetain(by(context), device)
    driver.cuCtxSetCurrent(context)
    driver.cuMemGetInfo_v2(by(before), by(total))
    driver.cuMemAlloc_v2(by(memory), ctypes.c_size_t(ALLOCATION))
    driver.cuMemGetInfo_v2(by(after), by(total))
    driver.cuMemFree_v2(memory)
    driver.cuDevicePrimaryCtxRelease(device)
    return {
        "app": "by_ctypes",
        "pid": os.getpid(),
        "devices": count.value,
        "name": name.value.decode(),
        "uuid": f"GPU-{uuid.UUID(bytes=bytes(identity))}",
        "sms": sms.value,
        "memory_total": total.value,
        "memory_free": before.value,
        "memory_free_after_64_mib": after.value,
    }


def main():
    try:
        print(json.dumps(report()), flush=True)
    except Failed as failure:
        name, result = failure.args
        print(json.dumps({"app": "by_ctypes", "failed": name, "error": result}), flush=True)
        return 1
    if "--hold" in sys.argv[1:]:
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
