"""Numba, unmodified: what its kernels, streams and atomics give. One JSON line, as answers.py compares it."""
import json
import sys
import zlib

import numpy
from distinct import distinct_sms, told_sms
from numba import cuda

ANSWERS = {}
HOST = numpy.random.default_rng(7)

SM_OF_BLOCK = """
extern "C" __device__ int sm_of_block(unsigned* result) {
    asm volatile("mov.u32 %0, %%smid;" : "=r"(*result));
    return 0;
}
"""


@cuda.jit
def scale_and_add(x, y, out):
    i = cuda.grid(1)
    if i < x.size:
        out[i] = 2 * x[i] + y[i]


@cuda.jit
def count_by_value(values, counts):
    i = cuda.grid(1)
    if i < values.size:
        cuda.atomic.add(counts, values[i], 1)


@cuda.jit
def largest(values, result):
    i = cuda.grid(1)
    if i < values.size:
        cuda.atomic.max(result, 0, values[i])


@cuda.jit
def reversed_in_block(values):
    cells = cuda.shared.array(256, numpy.float32)
    i = cuda.threadIdx.x
    base = cuda.blockIdx.x * 256
    cells[i] = values[base + i]
    cuda.syncthreads()
    values[base + i] = cells[255 - i]


@cuda.jit
def rounds_together(cells, rounds):
    grid = cuda.cg.this_grid()
    i = cuda.grid(1)
    for _ in range(rounds):
        beside = cells[(i + 1) % cells.size]
        grid.sync()
        cells[i] = beside
        grid.sync()


def kernels():
    x, y = (HOST.standard_normal(1 << 20).astype(numpy.float32) for _ in range(2))
    out = numpy.zeros_like(x)
    scale_and_add[(x.size + 255) // 256, 256](x, y, out)
    ANSWERS["bits of elementwise work"] = zlib.crc32(out.tobytes())
    ANSWERS["elementwise work is right"] = bool(numpy.allclose(out, 2 * x + y, atol=1e-5))
    there = cuda.to_device(x)
    reversed_in_block[x.size // 256, 256](there)
    want = x.reshape(-1, 256)[:, ::-1].ravel()
    ANSWERS["shared memory is right"] = bool((there.copy_to_host() == want).all())


def atomics():
    values = HOST.integers(0, 64, 1 << 20).astype(numpy.int32)
    counts = cuda.to_device(numpy.zeros(64, dtype=numpy.int32))
    count_by_value[4096, 256](cuda.to_device(values), counts)
    want = numpy.bincount(values, minlength=64)
    ANSWERS["atomic.add is right"] = bool((counts.copy_to_host() == want).all())
    result = cuda.to_device(numpy.zeros(1, dtype=numpy.int32))
    largest[4096, 256](cuda.to_device(values), result)
    ANSWERS["atomic.max"] = int(result.copy_to_host()[0])


def streams():
    first, second = cuda.stream(), cuda.stream()
    x = cuda.pinned_array(1 << 20, dtype=numpy.float32)
    x[:] = numpy.arange(1 << 20) % 1000
    wrong = 0
    for _ in range(10):
        event = cuda.event()
        out = cuda.device_array_like(x)
        there = cuda.to_device(x, stream=first)
        scale_and_add[4096, 256, first](there, there, out)
        event.record(first)
        event.wait(second)
        back = cuda.pinned_array_like(x)
        out.copy_to_host(back, stream=second)
        second.synchronize()
        wrong += int((back != 3 * x).sum())
    ANSWERS["wrong values behind an event"] = wrong
    for name, stream in (("default", cuda.default_stream()), ("legacy", cuda.legacy_default_stream()),
                         ("per-thread", cuda.per_thread_default_stream())):
        out = cuda.device_array_like(x)
        scale_and_add[4096, 256, stream](cuda.to_device(x), cuda.to_device(x), out)
        stream.synchronize()
        ANSWERS[f"{name} stream is right"] = bool((out.copy_to_host() == 3 * x).all())


def together():
    """A grid that waits for itself: as many blocks as are told to fit, and one more."""
    cells = cuda.to_device(numpy.arange(256, dtype=numpy.int32))
    rounds_together[1, 256](cells, 1)
    compiled, = rounds_together.overloads.values()
    most = compiled.max_cooperative_grid_blocks(256)
    ANSWERS["blocks that fit on an SM"] = most / told_sms()
    values = numpy.arange(most * 256, dtype=numpy.int32)
    cells = cuda.to_device(values)
    rounds_together[most, 256](cells, 5)
    ANSWERS["a whole grid waits for itself"] = bool((cells.copy_to_host() == numpy.roll(values, -5)).all())
    try:
        cells = cuda.to_device(numpy.zeros((most + 1) * 256, dtype=numpy.int32))
        rounds_together[most + 1, 256](cells, 1)
        cuda.synchronize()
        ANSWERS["one block more"] = "ran"
    except Exception as error:  # Numba or the driver refuses it, and says how many blocks there are
        text = str(error)
        refused = "LARGE" in text.upper() or "exceeds the limit" in text
        ANSWERS["one block more"] = "too large" if refused else text[:200]


def sm_of_each_block():
    """By a kernel that Numba compiles and launches itself; the special register is read by a line of CUDA C."""
    sm_of_block = cuda.declare_device("sm_of_block", "uint32()", link=[cuda.CUSource(SM_OF_BLOCK)])

    @cuda.jit
    def note(out):
        out[cuda.blockIdx.x] = sm_of_block()

    out = cuda.device_array(4096, dtype=numpy.uint32)
    note[4096, 64](out)
    return len(set(out.copy_to_host().tolist()))


def main():
    for part in (kernels, atomics, streams, together):
        part()
    ANSWERS["sms by attribute"] = told_sms()
    ANSWERS["sms by Numba's device"] = cuda.get_current_device().MULTIPROCESSOR_COUNT
    ANSWERS["sms of the driver's kernel"] = distinct_sms()
    try:
        ANSWERS["sms of a kernel of Numba"] = sm_of_each_block()
    except Exception as error:  # linking CUDA C needs NVRTC, and says so in several ways
        ANSWERS["skipped SMs of a kernel of Numba"] = f"{type(error).__name__}: {str(error)[:200]}"
    print(json.dumps(ANSWERS))


sys.exit(main())
