// How many blocks of a kernel an SM holds. Kernels here need neither registers nor shared memory.
#pragma once
#include <algorithm>

namespace sim {

constexpr unsigned kMostThreads = 1024;  // of a block

constexpr unsigned blocks_per_sm(unsigned threads) {
    constexpr unsigned kThreads = 2048;
    constexpr unsigned kBlocks = 32;
    constexpr unsigned kWarp = 32;
    const unsigned warps = (threads + kWarp - 1) / kWarp;
    return std::min(kBlocks, kThreads / (warps * kWarp));
}

}  // namespace sim
