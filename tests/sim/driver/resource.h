// CUdevResource as this driver fills it in: beside what cuda.h shows, the SMs themselves.
#pragma once
#include "tests/sim/driver/api.h"
#include "tests/sim/driver/sm_set.h"

namespace sim {

struct SmResource {
    CUdevice device = 0;
    // The call of cuDevSmResourceSplitByCount that it came from; 0 for what a device or a context
    // has, which alone can be split.
    unsigned split = 0;
    SmSet sms;
    SmGrain grain{};
};

CUdevResource pack(const SmResource& resource);
// CUDA_ERROR_INVALID_RESOURCE_TYPE for anything that pack() did not make.
CUresult unpack(const CUdevResource& packed, SmResource& resource);

}  // namespace sim

// The handle's type is cuda.h's, so it lives outside the namespace.
struct CUdevResourceDesc_st {
    CUdevice device;
    sim::SmSet sms;
    sim::SmGrain grain;
};
