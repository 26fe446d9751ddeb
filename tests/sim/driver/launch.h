// The shape of a launch.
#pragma once
#include "tests/sim/driver/api.h"

namespace sim {

// SMs that are co-scheduled on compute capability 9.0, and blocks of the largest cluster that every
// such GPU can hold.
constexpr unsigned kGroup = 8;
constexpr unsigned kPortableCluster = 8;

struct Shape {
    unsigned grid[3];
    unsigned block[3];
    bool cooperative = false;
    unsigned clusters[3] = {1, 1, 1};

    unsigned blocks() const { return grid[0] * grid[1] * grid[2]; }
    unsigned threads() const { return block[0] * block[1] * block[2]; }
    unsigned cluster() const { return clusters[0] * clusters[1] * clusters[2]; }
};

Shape shape_of(const CUlaunchConfig& config);
Shape shape_of(const CUDA_KERNEL_NODE_PARAMS& node);
// Whether a kernel of that shape can run in the context.
CUresult check_launch(const Shape& shape, const CUfunc_st& function, const CUctx_st& context);
// Blocks of a cluster that the function allows.
unsigned cluster_limit(const CUfunc_st& function);

}  // namespace sim
