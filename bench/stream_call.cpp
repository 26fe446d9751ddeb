// A call that enqueues something, as the program has it linked and at the driver's own address:
// what stands in between is the stream layer. The launch of no kernel, which the driver refuses:
// its part is as short as it can be, and ours is that of any launch.
//
// usage: stream_call [blocking] [--benchmark_...]
// With `blocking` the launches go to a blocking stream, and blocking streams are in use; else to a
// non-blocking one, and there is no other.
#include <benchmark/benchmark.h>
#include <cuda.h>

#include <cstdio>
#include <cstring>

#include "bench/driver_address.h"

namespace {

CUstream stream;

void launch(benchmark::State& state, decltype(&cuLaunchKernel) function) {
    if (function == nullptr) return state.SkipWithError("there is no driver");
    CUresult result = CUDA_SUCCESS;
    for (auto _ : state) {
        result = function(nullptr, 1, 1, 1, 1, 1, 1, 0, stream, nullptr, nullptr);
        benchmark::DoNotOptimize(result);
    }
    if (result != CUDA_ERROR_INVALID_HANDLE) state.SkipWithError("the launch was not refused");
}

bool ready(bool blocking) {
    CUcontext context{};
    CUdeviceptr memory{};
    return cuInit(0) == CUDA_SUCCESS && cuDevicePrimaryCtxRetain(&context, 0) == CUDA_SUCCESS &&
           cuCtxSetCurrent(context) == CUDA_SUCCESS && cuMemAlloc(&memory, 1) == CUDA_SUCCESS &&
           cuStreamCreate(&stream, blocking ? CU_STREAM_DEFAULT : CU_STREAM_NON_BLOCKING) ==
               CUDA_SUCCESS &&
           cuMemsetD8Async(memory, 0, 1, nullptr) == CUDA_SUCCESS &&
           cuMemsetD8Async(memory, 0, 1, stream) == CUDA_SUCCESS &&
           cuCtxSynchronize() == CUDA_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    const bool blocking = argc > 1 && std::strcmp(argv[1], "blocking") == 0;
    if (!ready(blocking)) {
        std::fputs("stream_call: no context\n", stderr);
        return 1;
    }
    benchmark::RegisterBenchmark("linked", launch, &cuLaunchKernel);
    benchmark::RegisterBenchmark("driver", launch,
                                 driver_address("cuLaunchKernel", &cuLaunchKernel));
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
