"""CuPy, unmodified: prints what runtime.cu prints."""
import json
import sys

import cupy

NOTE_SM = cupy.RawKernel(
    r"""
extern "C" __global__ void note_sm(unsigned* mask) {
    unsigned sm;
    asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
    if (threadIdx.x == 0) atomicOr(&mask[sm / 32], 1u << (sm % 32));
    const long long start = clock64();
    while (clock64() - start < 200000) {}
}""",
    "note_sm",
)


def try_to_allocate(mebibytes):
    try:
        cupy.cuda.runtime.free(cupy.cuda.runtime.malloc(mebibytes << 20))
        return 0
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return error.status


def main():
    try:
        mask = cupy.zeros(16, dtype=cupy.uint32)
    except cupy.cuda.runtime.CUDARuntimeError as error:
        print(json.dumps({"error": error.status, "text": str(error)}))
        return 1
    NOTE_SM((2048,), (64,), (mask,))
    distinct = sum(int(word).bit_count() for word in mask.get())
    small, large = (int(argument) for argument in sys.argv[1:3])
    sms = cupy.cuda.runtime.getDeviceProperties(0)["multiProcessorCount"]
    print(json.dumps({"sms": sms, "distinct": distinct, "small": try_to_allocate(small),
                      "large": try_to_allocate(large)}))
    return 0


sys.exit(main())
