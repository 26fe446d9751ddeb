// A hand-filled table of the driver's functions for green contexts: one device after the other has
// 132 SMs in 15 groups of 8, or in 66 of 2, as an H100 has.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "shim/cuda/green/calls.h"

namespace ration::cuda::green {

struct FakeGreen {
    unsigned total = 132;
    unsigned grouped = 120;  // SMs that are in groups of 8
    CUresult query = CUDA_SUCCESS;
    CUresult split = CUDA_SUCCESS;
    CUresult create = CUDA_SUCCESS;
    CUresult retain = CUDA_SUCCESS;
    int version = 13000;
    unsigned granted = 0;  // what a green context is said to have, instead of what was described
    // The primary context of device 0.
    unsigned uses = 0;
    unsigned greens = 0;
    bool spoilt = false;  // one release too many beside a green context (measured)
    bool active() const { return uses != 0 || greens != 0; }
    std::vector<std::string> calls;
    std::function<void()> at_retain;  // while the driver is about it
    std::function<void()> at_destroy;
};
// One for all: the driver's functions take no argument for it.
FakeGreen& fake_green();
// Resets it.
Calls fake_green_calls();

CUcontext fake_primary(CUdevice device);

}  // namespace ration::cuda::green
