// What the allocation nodes of a graph need.
#pragma once

#include <cstdint>
#include <vector>

#include "shim/cuda/quota/calls.h"

namespace ration::cuda::quota {

// Of one device, in bytes.
struct GraphNeed {
    CUdevice device = 0;
    std::uint64_t bytes = 0;
    std::uint64_t kept = 0;  // of them: not freed by the graph itself
    friend bool operator==(const GraphNeed&, const GraphNeed&) = default;
};
using GraphNeeds = std::vector<GraphNeed>;

// Asks the driver for the graph's nodes, and for those of its children; in the order of the
// devices. Empty: it allocates nothing, as most do. The addresses of allocations are theirs from
// the node on, and allocations that cannot be alive at once may have the same, so what the driver
// can take is what the addresses span (CUDA programming guide, "Graph memory nodes"): counted in
// blocks of 2 MiB. Bodies of conditional nodes have no allocations (cuda.h,
// CUDA_CONDITIONAL_NODE_PARAMS).
GraphNeeds needs_of(const Calls& calls, CUgraph graph);

}  // namespace ration::cuda::quota
