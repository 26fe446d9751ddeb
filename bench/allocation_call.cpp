// cuMemAlloc and cuMemFree, as the program has them linked and at the driver's own addresses, by
// turns in one process: what stands in between counts the quota.
//
// usage: allocation_call [ROUNDS [LIVE]]
// Prints the median time of an allocation with its free by either way, and the quartiles of the
// difference within a round, all in ns. LIVE allocations of 512 bytes are there meanwhile.
#include <cuda.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "bench/driver_address.h"

namespace {

// A turn is over before the scheduler's next tick, mostly; a round in which it is not is far off
// the median.
constexpr int kPairs = 32;
constexpr std::size_t kBytes = std::size_t{4} << 20;
constexpr std::size_t kSmall = 512;

struct Way {
    decltype(&cuMemAlloc) allocate;
    decltype(&cuMemFree) free;
};

double now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// One pair's time in a turn of some.
double turn(const Way& way) {
    const double begin = now();
    for (int i = 0; i < kPairs; ++i) {
        CUdeviceptr memory{};
        if (way.allocate(&memory, kBytes) != CUDA_SUCCESS || way.free(memory) != CUDA_SUCCESS) {
            std::fputs("allocation_call: an allocation failed\n", stderr);
            std::exit(1);
        }
    }
    return (now() - begin) / kPairs;
}

double quantile(std::vector<double>& values, double part) {
    const auto at =
        values.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

void compare(const Way& linked, const Way& own, int rounds) {
    std::vector<double> linked_times;
    std::vector<double> own_times;
    std::vector<double> added;
    for (int round = 0; round < rounds; ++round) {
        const bool linked_first = round % 2 == 0;
        double first = turn(linked_first ? linked : own);
        double second = turn(linked_first ? own : linked);
        if (!linked_first) std::swap(first, second);
        linked_times.push_back(first);
        own_times.push_back(second);
        added.push_back(first - second);
    }
    std::printf("%.1f %.1f %.1f %.1f %.1f\n", quantile(linked_times, 0.5), quantile(own_times, 0.5),
                quantile(added, 0.25), quantile(added, 0.5), quantile(added, 0.75));
}

}  // namespace

int main(int count, char** arguments) {
    const int rounds = count > 1 ? std::atoi(arguments[1]) : 1000;
    const int live = count > 2 ? std::atoi(arguments[2]) : 0;
    // cuda.h makes the names those of the second versions.
    const Way linked{&cuMemAlloc, &cuMemFree};
    const Way own{driver_address("cuMemAlloc_v2", &cuMemAlloc),
                  driver_address("cuMemFree_v2", &cuMemFree)};
    CUcontext context{};
    if (own.allocate == nullptr || own.free == nullptr || cuInit(0) != CUDA_SUCCESS ||
        cuDevicePrimaryCtxRetain(&context, 0) != CUDA_SUCCESS ||
        cuCtxSetCurrent(context) != CUDA_SUCCESS) {
        std::fputs("allocation_call: no context\n", stderr);
        return 1;
    }
    for (int i = 0; i < live; ++i) {
        CUdeviceptr kept{};
        if (cuMemAlloc(&kept, kSmall) != CUDA_SUCCESS) return 1;
    }
    turn(linked);
    turn(own);
    compare(linked, own, rounds);
    return 0;
}
