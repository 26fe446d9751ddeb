"""On how many SMs a stream's kernels run, asked through the driver: needs no compiler on the machine."""
import ctypes

WORDS = 16
MULTIPROCESSOR_COUNT = 16  # CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT

# Notes each block's SM in a mask, and holds the SM long enough that every one in reach gets a block.
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


def must(code):
    assert code == 0, f"the driver answered {code}"


def make_current(driver, device):
    """The device's primary context, where this thread has none yet."""
    context = ctypes.c_void_p()
    must(driver.cuInit(0))
    must(driver.cuCtxGetCurrent(ctypes.byref(context)))
    if not context:
        must(driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
        must(driver.cuCtxSetCurrent(context))


def told_sms(device=0):
    driver, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
    must(driver.cuInit(0))
    must(driver.cuDeviceGetAttribute(ctypes.byref(count), MULTIPROCESSOR_COUNT, device))
    return count.value


def distinct_sms(stream=0, device=0):
    """In the current context, or in the primary one of `device`."""
    driver = ctypes.CDLL("libcuda.so.1")
    make_current(driver, device)
    module, function = ctypes.c_void_p(), ctypes.c_void_p()
    must(driver.cuModuleLoadData(ctypes.byref(module), NOTE_SM))
    must(driver.cuModuleGetFunction(ctypes.byref(function), module, b"note_sm"))
    mask, seen = ctypes.c_uint64(), (ctypes.c_uint32 * WORDS)()
    size = ctypes.c_size_t(ctypes.sizeof(seen))
    must(driver.cuMemAlloc_v2(ctypes.byref(mask), size))
    must(driver.cuMemsetD8_v2(mask, 0, size))
    must(driver.cuCtxSynchronize())
    arguments = (ctypes.c_void_p * 1)(ctypes.addressof(mask))
    must(driver.cuLaunchKernel(function, 2048, 1, 1, 64, 1, 1, 0, ctypes.c_void_p(stream), arguments, None))
    must(driver.cuCtxSynchronize())
    must(driver.cuMemcpyDtoH_v2(seen, mask, size))
    must(driver.cuMemFree_v2(mask))
    must(driver.cuModuleUnload(module))
    return sum(word.bit_count() for word in seen)
