// A call that enqueues something, as the program has it linked and at the driver's own address:
// what stands in between is the stream layer. The launch of no kernel, which the driver refuses:
// its part is as short as it can be, and ours is that of any launch.
//
// usage: stream_call [blocking | handle | ptsz] [--benchmark_...]
// With `blocking` the launches go to a blocking stream, and blocking streams are in use; with
// `handle` or `ptsz` they go to the thread's own default stream, by its handle or by the entry
// point that means it; else to a non-blocking one, and there is no other. The driver itself
// launches in that one always: in a green context it knows no other.
#include <benchmark/benchmark.h>
#include <cuda.h>

#include <cstdio>
#include <cstring>

#include "bench/driver_address.h"

// cuda.h has it only for whoever builds for per-thread default streams altogether.
extern "C" decltype(cuLaunchKernel) cuLaunchKernel_ptsz;

namespace {

using Launch = decltype(&cuLaunchKernel);

void launch(benchmark::State& state, Launch function, CUstream stream) {
    if (function == nullptr) return state.SkipWithError("there is no driver");
    CUresult result = CUDA_SUCCESS;
    for (auto _ : state) {
        result = function(nullptr, 1, 1, 1, 1, 1, 1, 0, stream, nullptr, nullptr);
        benchmark::DoNotOptimize(result);
    }
    if (result != CUDA_ERROR_INVALID_HANDLE) state.SkipWithError("the launch was not refused");
}

// Where the program launches.
struct Target {
    Launch linked = &cuLaunchKernel;
    unsigned flags = CU_STREAM_NON_BLOCKING;  // of the stream that is made
    bool own = false;
    CUstream own_stream = nullptr;  // in the program's words
};

Target target(const char* word) {
    if (std::strcmp(word, "blocking") == 0) return {&cuLaunchKernel, CU_STREAM_DEFAULT};
    if (std::strcmp(word, "handle") == 0) {
        return {&cuLaunchKernel, CU_STREAM_NON_BLOCKING, true, CU_STREAM_PER_THREAD};
    }
    if (std::strcmp(word, "ptsz") == 0) {
        return {&cuLaunchKernel_ptsz, CU_STREAM_NON_BLOCKING, true, nullptr};
    }
    return {};
}

bool ready(const Target& target, CUstream& stream) {
    CUcontext context{};
    CUdeviceptr memory{};
    if (cuInit(0) != CUDA_SUCCESS || cuDevicePrimaryCtxRetain(&context, 0) != CUDA_SUCCESS ||
        cuCtxSetCurrent(context) != CUDA_SUCCESS || cuMemAlloc(&memory, 1) != CUDA_SUCCESS ||
        cuStreamCreate(&stream, target.flags) != CUDA_SUCCESS) {
        return false;
    }
    CUstream const used = target.own ? CU_STREAM_PER_THREAD : stream;
    return cuMemsetD8Async(memory, 0, 1, nullptr) == CUDA_SUCCESS &&
           cuMemsetD8Async(memory, 0, 1, used) == CUDA_SUCCESS &&
           cuCtxSynchronize() == CUDA_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    const Target chosen = target(argc > 1 ? argv[1] : "");
    CUstream stream = nullptr;
    if (!ready(chosen, stream)) {
        std::fputs("stream_call: no context\n", stderr);
        return 1;
    }
    benchmark::RegisterBenchmark("linked", launch, chosen.linked,
                                 chosen.own ? chosen.own_stream : stream);
    benchmark::RegisterBenchmark("driver", launch,
                                 driver_address("cuLaunchKernel", &cuLaunchKernel), stream);
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
