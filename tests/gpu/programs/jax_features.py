"""JAX, unmodified: what its ways to run work give. One JSON line, as answers.py compares it; with the argument
"limit" also how much memory JAX takes at most."""
import json
import sys
import zlib

import jax
import jax.numpy as jnp
import numpy
from distinct import distinct_sms, told_sms

ANSWERS = {}
HOST = numpy.random.default_rng(7)


def made(*shape):
    return jnp.asarray(HOST.standard_normal(shape, dtype=numpy.float32))


def bits(array):
    return zlib.crc32(numpy.asarray(array).tobytes())


def values(array):
    flat = numpy.asarray(array, dtype=numpy.float64).ravel()
    return [*flat[:: max(1, flat.size // 6)].tolist(), float(numpy.abs(flat).mean())]


def transformed():
    a, b, x = made(512, 384), made(384, 256), made(1 << 16)
    ANSWERS["jit of a product"] = values(jax.jit(lambda a, b: jnp.tanh(a @ b / 20))(a, b))
    ANSWERS["bits of elementwise work"] = bits(jax.jit(lambda x: x * 2 + jnp.abs(x))(x))
    state, sums = jax.lax.scan(lambda s, row: (0.9 * s + row, s.sum()), jnp.zeros(384), a)
    ANSWERS["scan"] = values(state) + values(sums)
    loss = lambda b, a: jnp.square(jax.nn.gelu(a @ b / 20)).mean()  # noqa: E731
    ANSWERS["grad"] = values(1e4 * jax.jit(jax.grad(loss))(b, a))
    ANSWERS["vmap"] = values(jax.vmap(lambda row, m: jnp.tanh(row @ m / 20), in_axes=(0, None))(a, b))
    ANSWERS["while"] = int(jax.lax.while_loop(lambda n: n < 1000, lambda n: 2 * n + 1, 1))
    ANSWERS["convolution"] = values(jax.lax.conv(made(4, 8, 28, 28), made(16, 8, 3, 3), (1, 1), "SAME"))
    ANSWERS["sort is right"] = bool((numpy.diff(numpy.asarray(jnp.sort(x))) >= 0).all())
    ANSWERS["bits of random numbers"] = bits(jax.random.bits(jax.random.key(1), (1 << 20,)))


def sm_of_each_block():
    """By a kernel that JAX compiles and launches itself."""
    from jax.experimental import pallas
    from jax.experimental.pallas import triton

    blocks = 4096

    def kernel(out):
        ids = jnp.zeros((1,), jnp.int32) + pallas.program_id(0)
        sm, = triton.elementwise_inline_asm(
            "mov.u32 $0, %smid;", args=[ids], constraints="=r,r", pack=1,
            result_shape_dtypes=[jax.ShapeDtypeStruct((1,), jnp.int32)])
        out[...] = sm

    launch = pallas.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct((blocks,), jnp.int32), grid=(blocks,),
                                out_specs=pallas.BlockSpec((1,), lambda i: (i,)),
                                compiler_params=triton.CompilerParams(num_warps=1))
    return len(set(numpy.asarray(jax.jit(launch)()).tolist()))


def main():
    jax.config.update("jax_default_matmul_precision", "highest")
    device = jax.devices("gpu")[0]
    transformed()
    ANSWERS["sms by attribute"] = told_sms()
    ANSWERS["sms by JAX's device"] = device.core_count
    ANSWERS["sms of the driver's kernel"] = distinct_sms()
    try:
        ANSWERS["sms of a kernel of JAX"] = sm_of_each_block()
    except Exception as error:  # Pallas is experimental: what it raises changes from release to release
        ANSWERS["skipped SMs of a kernel of JAX"] = f"{type(error).__name__}: {str(error)[:200]}"
    if "limit" in sys.argv:
        ANSWERS["memory limit, MiB"] = device.memory_stats()["bytes_limit"] >> 20
    print(json.dumps(ANSWERS))


sys.exit(main())
