// cuMemAlloc and cuMemFree, as the program has them linked and at the driver's own addresses: what
// stands in between counts the quota.
#include <benchmark/benchmark.h>
#include <cuda.h>

#include <cstdio>

#include "bench/driver_address.h"

namespace {

void allocate(benchmark::State& state, decltype(&cuMemAlloc) allocate, decltype(&cuMemFree) free) {
    if (allocate == nullptr || free == nullptr) return state.SkipWithError("there is no driver");
    constexpr std::size_t kBytes = std::size_t{4} << 20;
    for (auto _ : state) {
        CUdeviceptr memory{};
        if (allocate(&memory, kBytes) != CUDA_SUCCESS || free(memory) != CUDA_SUCCESS) {
            return state.SkipWithError("an allocation failed");
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    CUcontext context{};
    if (cuInit(0) != CUDA_SUCCESS || cuDevicePrimaryCtxRetain(&context, 0) != CUDA_SUCCESS ||
        cuCtxSetCurrent(context) != CUDA_SUCCESS) {
        std::fputs("allocation_call: no context\n", stderr);
        return 1;
    }
    // cuda.h makes the names those of the second versions.
    benchmark::RegisterBenchmark("linked", allocate, &cuMemAlloc, &cuMemFree);
    benchmark::RegisterBenchmark("driver", allocate, driver_address("cuMemAlloc_v2", &cuMemAlloc),
                                 driver_address("cuMemFree_v2", &cuMemFree));
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
