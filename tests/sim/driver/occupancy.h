// How many blocks and clusters of a kernel SMs hold. Kernels here need neither registers nor shared
// memory.
#pragma once
#include <algorithm>

#include "tests/sim/driver/api.h"

namespace sim {

constexpr unsigned kMostThreads = 1024;  // of a block

constexpr unsigned blocks_per_sm(unsigned threads) {
    constexpr unsigned kThreads = 2048;
    constexpr unsigned kBlocks = 32;
    constexpr unsigned kWarp = 32;
    const unsigned warps = (threads + kWarp - 1) / kWarp;
    return std::min(kBlocks, kThreads / (warps * kWarp));
}

// Blocks of the largest cluster that the context's SMs can hold together: 16 on a whole device, 8
// where a co-scheduled group of 8 is whole, else 2 (measured).
unsigned largest_cluster(const CUctx_st& context);
// Clusters of `size` blocks that are there at once.
unsigned active_clusters(const CUctx_st& context, unsigned size, unsigned threads);

}  // namespace sim
