// CUDA arrays. Their memory is an allocation like any other, whose address the program never sees.
#pragma once
#include <vector>

#include "tests/sim/driver/driver.h"

// The handles' types are cuda.h's, so they live outside the namespace.
struct CUarray_st {
    CUcontext context;
    CUDA_ARRAY3D_DESCRIPTOR shape;
    CUdeviceptr memory;       // 0 if it has none of its own (yet)
    CUmipmappedArray parent;  // that it is a level of, or null
};

struct CUmipmappedArray_st {
    CUcontext context;
    CUdeviceptr memory;
    std::vector<CUarray> levels;
};

namespace sim {

// Bytes of a texel; 0 for a format that isn't known here.
std::size_t texel_bytes(const CUDA_ARRAY3D_DESCRIPTOR& shape);
// A context ends: so do its arrays' handles.
void forget_arrays(Driver& driver, CUcontext context);

}  // namespace sim
