// The launch of an empty kernel by the address that the program has linked and by the driver's own,
// by turns in one process. For a real GPU: on the simulated driver its threads are measured too.
//
// usage: launch [--json] [--blocking] [ROUNDS]
// Prints the median time of a launch by either way, and the ratio's median over the rounds. With
// --blocking it is a blocking stream that is launched in, else a non-blocking one.
#include <cuda.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "bench/driver_address.h"

namespace {

constexpr int kLaunches = 2000;   // a turn
constexpr int kInTheQueue = 200;  // before it is waited for: a full queue would be measured else
constexpr const char* kEmpty =
    ".version 6.3\n.target sm_70\n.address_size 64\n.visible .entry empty() { ret; }\n";

using Launch = decltype(&cuLaunchKernel);

struct Gpu {
    CUstream stream = nullptr;
    CUfunction kernel = nullptr;
};

long now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000L + time.tv_nsec;
}

bool open(Gpu& gpu, bool blocking) {
    CUcontext context{};
    CUmodule module{};
    const unsigned flags = blocking ? CU_STREAM_DEFAULT : CU_STREAM_NON_BLOCKING;
    return cuInit(0) == CUDA_SUCCESS && cuDevicePrimaryCtxRetain(&context, 0) == CUDA_SUCCESS &&
           cuCtxSetCurrent(context) == CUDA_SUCCESS &&
           cuModuleLoadData(&module, kEmpty) == CUDA_SUCCESS &&
           cuModuleGetFunction(&gpu.kernel, module, "empty") == CUDA_SUCCESS &&
           cuStreamCreate(&gpu.stream, flags) == CUDA_SUCCESS;
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

// The times of one turn's launches in ns.
std::vector<double> turn(const Gpu& gpu, Launch launch) {
    std::vector<double> times;
    for (int i = 0; i < kLaunches; ++i) {
        if (i % kInTheQueue == 0) cuStreamSynchronize(gpu.stream);
        const long begin = now();
        const CUresult result =
            launch(gpu.kernel, 1, 1, 1, 1, 1, 1, 0, gpu.stream, nullptr, nullptr);
        times.push_back(static_cast<double>(now() - begin));
        if (result != CUDA_SUCCESS) std::exit(2);
    }
    return times;
}

struct Result {
    double linked = 0;  // ns
    double own = 0;     // ns
    double ratio = 0;
};

Result compare(const Gpu& gpu, Launch own, int rounds) {
    std::vector<double> linked_times;
    std::vector<double> own_times;
    std::vector<double> ratios;
    turn(gpu, &cuLaunchKernel);
    turn(gpu, own);
    for (int round = 0; round < rounds; ++round) {
        const bool linked_first = round % 2 == 0;
        auto first = turn(gpu, linked_first ? &cuLaunchKernel : own);
        auto second = turn(gpu, linked_first ? own : &cuLaunchKernel);
        if (!linked_first) first.swap(second);
        ratios.push_back(median(first) / median(second));
        linked_times.insert(linked_times.end(), first.begin(), first.end());
        own_times.insert(own_times.end(), second.begin(), second.end());
    }
    return {median(linked_times), median(own_times), median(ratios)};
}

}  // namespace

int main(int count, char** arguments) {
    bool json = false;
    bool blocking = false;
    int rounds = 40;
    for (int i = 1; i < count; ++i) {
        json = json || std::strcmp(arguments[i], "--json") == 0;
        blocking = blocking || std::strcmp(arguments[i], "--blocking") == 0;
        if (std::atoi(arguments[i]) > 0) rounds = std::atoi(arguments[i]);
    }
    Gpu gpu;
    const Launch own = driver_address("cuLaunchKernel", &cuLaunchKernel);
    if (own == nullptr || !open(gpu, blocking)) {
        std::fputs("launch: no GPU\n", stderr);
        return 1;
    }
    const Result result = compare(gpu, own, rounds);
    const char* const hooked = own == &cuLaunchKernel ? "false" : "true";
    std::printf(json ? "{\"rounds\": %d, \"hooked\": %s, \"linked_ns\": %.0f, \"own_ns\": %.0f, "
                       "\"ratio\": %.4f}\n"
                     : "%d rounds, hooked: %s, linked %.0f ns, the driver's own %.0f ns, ratio "
                       "%.4f\n",
                rounds, hooked, result.linked, result.own, result.ratio);
    return 0;
}
