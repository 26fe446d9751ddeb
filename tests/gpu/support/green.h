// Green contexts, for tests that need some.
#pragma once
#include <vector>

#include "tests/gpu/support/cuda.h"

namespace gpu {

// Whether the driver has them at all (CUDA 12.4).
bool have_green();

CUdevResource sms_of_device(Cuda& cuda);

struct Split {
    CUresult result;
    std::vector<CUdevResource> groups;
    CUdevResource rest;
};
// Into as many groups of at least `least` SMs as there are, `most` at most.
Split split(Cuda& cuda, const CUdevResource& input, unsigned least, unsigned flags = 0,
            unsigned most = 256);

struct Green {
    CUresult result;
    CUgreenCtx handle;
    CUcontext context;
};
// A green context of device 0 that has these groups, and nothing current that wasn't before.
Green make_green(Cuda& cuda, std::vector<CUdevResource> groups);

}  // namespace gpu
