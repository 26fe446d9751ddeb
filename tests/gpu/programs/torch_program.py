"""PyTorch, unmodified: prints what runtime.cu prints. An allocation that fails counts as error 2,
which is what PyTorch's OutOfMemoryError stands for (cudaErrorMemoryAllocation)."""
import ctypes
import json
import sys

import torch

# Through the driver, on PyTorch's own context: needs no compiler on the machine.
NOTE_SM = b"""
.version 7.0
.target sm_70
.address_size 64
.visible .entry note_sm(.param .u64 mask) {
    .reg .pred %p<3>;
    .reg .b32 %r<8>;
    .reg .b64 %d<8>;
    ld.param.u64 %d1, [mask];
    cvta.to.global.u64 %d1, %d1;
    mov.u32 %r1, %smid;
    shr.u32 %r2, %r1, 5;
    and.b32 %r3, %r1, 31;
    mov.u32 %r4, 1;
    shl.b32 %r4, %r4, %r3;
    mul.wide.u32 %d2, %r2, 4;
    add.s64 %d2, %d1, %d2;
    mov.u64 %d3, %clock64;
    atom.global.or.b32 %r5, [%d2], %r4;
spin:
    mov.u64 %d4, %clock64;
    sub.s64 %d5, %d4, %d3;
    setp.lt.s64 %p1, %d5, 200000;
    @%p1 bra spin;
    ret;
}\0"""


def distinct_sms():
    mask = torch.zeros(16, dtype=torch.int32, device="cuda")
    torch.cuda.synchronize()
    driver = ctypes.CDLL("libcuda.so.1")
    module, function = ctypes.c_void_p(), ctypes.c_void_p()
    assert driver.cuModuleLoadData(ctypes.byref(module), NOTE_SM) == 0
    assert driver.cuModuleGetFunction(ctypes.byref(function), module, b"note_sm") == 0
    argument = ctypes.c_void_p(mask.data_ptr())
    arguments = (ctypes.c_void_p * 1)(ctypes.addressof(argument))
    stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
    assert driver.cuLaunchKernel(function, 2048, 1, 1, 64, 1, 1, 0, stream, arguments, None) == 0
    return sum((int(word) & 0xFFFFFFFF).bit_count() for word in mask.cpu())


def try_to_allocate(mebibytes):
    try:
        torch.empty(mebibytes << 20, dtype=torch.uint8, device="cuda")
        result = 0
    except torch.OutOfMemoryError:
        result = 2
    torch.cuda.empty_cache()
    return result


def main():
    if not torch.cuda.is_available():
        print(json.dumps({"error": "torch.cuda.is_available() is False"}))
        return 1
    small, large = (int(argument) for argument in sys.argv[1:3])
    sms = torch.cuda.get_device_properties(0).multi_processor_count
    product = (torch.ones(512, 512, device="cuda") @ torch.ones(512, 512, device="cuda"))
    assert bool((product == 512).all())
    print(json.dumps({"sms": sms, "distinct": distinct_sms(), "small": try_to_allocate(small),
                      "large": try_to_allocate(large)}))
    return 0


sys.exit(main())
