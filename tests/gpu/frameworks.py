"""Checks of apps.py: Python frameworks in an SM subset, beside the same program bare."""
import importlib.util
import json
import sys

from answers import as_bare
from whole import HERE

QUARTER = 'mechanism = "green"\nshare = "25%"'
SMALL_MIB, LARGE_MIB = "1024", "2304"  # one fits into 2 GiB


def program(name):
    return [sys.executable, HERE / "programs" / name]


def has(run, what, module):
    if importlib.util.find_spec(module):
        return True
    run.skipped(what, f"{sys.executable} has no module {module}")
    return False


def pytorch(run):
    if not has(run, "PyTorch", "torch"):
        return
    policy = run.policy("torch", QUARTER)
    # Two runs that compile the same must not find each other's results.
    bare, confined = ({"TORCHINDUCTOR_CACHE_DIR": str(run.work / name), "TRITON_CACHE_DIR": str(run.work / name)}
                      for name in ("torch-bare", "torch-confined"))
    as_bare(run, "PyTorch", program("torch_features.py"), {**policy, **confined}, extra=bare, seconds=200)
    quota = run.policy("torch-quota", QUARTER + '\nmemory = "2GiB"')
    for allocator in ("expandable_segments:True", "backend:cudaMallocAsync"):
        _, result, said = run.execute([*program("torch_program.py"), SMALL_MIB, LARGE_MIB],
                                      {**quota, "PYTORCH_CUDA_ALLOC_CONF": allocator}, 60)
        run.report(f"PyTorch, {allocator}, memory = \"2GiB\"",
                   result.get("small") == 0 and result.get("large") == 2,
                   json.dumps(result) + "".join(said))


def random(run):
    """PyTorch draws random numbers by as many threads as the SMs take at once: beyond that many numbers the
    sequence depends on the SM count, however it is limited."""
    if not has(run, "PyTorch's random numbers", "torch"):
        return
    _, bare, _ = run.execute(program("torch_random.py"), seconds=100)
    results = {"green": run.execute(program("torch_random.py"), run.policy("random", QUARTER), 100)[1]}
    if run.ration("mps", "ensure").returncode == 0:
        try:
            policy = run.policy("random-mps", 'mechanism = "mps"\nshare = "25%"')
            results["mps"] = run.execute(program("torch_random.py"), policy, 60)[1]
        finally:
            run.ration("mps", "stop")
    else:
        run.skipped("PyTorch's random numbers under MPS", "no MPS daemon starts here")
    run.report("PyTorch: a few random numbers as bare", bool(bare) and all(
        result.get("few") == bare["few"] for result in results.values()), json.dumps(results))
    run.report("PyTorch: many depend on the SM count alone", bool(bare) and all(
        result.get("many") == results["green"]["many"] != bare["many"] for result in results.values()),
        f"bare {json.dumps(bare)}")


def jax(run):
    if not has(run, "JAX", "jax"):
        return
    policy = run.policy("jax", QUARTER)
    # Bare and confined run at once, so neither may take most of the memory ahead.
    for name, extra in (("taken ahead", {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.2"}),
                        ("platform", {"XLA_PYTHON_CLIENT_ALLOCATOR": "platform"}),
                        ("cuda_async", {"XLA_PYTHON_CLIENT_ALLOCATOR": "cuda_async",
                                        "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.2"})):
        as_bare(run, f"JAX, memory: {name}", program("jax_features.py"), policy, extra=extra, seconds=100)
    quota = run.policy("jax-quota", QUARTER + '\nmemory = "4GiB"')
    done, result, said = run.execute([*program("jax_features.py"), "limit"], quota, 100)
    run.report("JAX, three quarters of 4 GiB taken ahead", "memory limit, MiB" in result
               and 2560 <= result["memory limit, MiB"] <= 4096 and not said,
               f"{result.get('memory limit, MiB')} MiB {''.join(said)}{'' if result else done.stderr[-400:]}")


def numba(run):
    if not has(run, "Numba", "numba"):
        return
    policy = run.policy("numba", QUARTER)
    for name, extra in (("legacy", {}), ("per-thread", {"NUMBA_CUDA_PER_THREAD_DEFAULT_STREAM": "1"})):
        as_bare(run, f"Numba, default stream {name}", program("numba_features.py"), policy, extra=extra)
