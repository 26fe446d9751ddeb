// The green context that stands for a device's primary context.
#pragma once

#include <vector>

#include "shim/cuda/green/calls.h"
#include "shim/cuda/green/layout.h"
#include "shim/cuda/refusal.h"

namespace ration::cuda::green {

struct Home {
    CUgreenCtx green = nullptr;
    CUcontext context = nullptr;  // what is made current
};

// A green context on these groups of the layout, which activates the primary context and keeps it
// active. What the driver granted is read back. Refused, with the driver's code, where it makes
// none, and where it grants other SMs than were asked.
Or<Home> make_home(const Calls& calls, CUdevice device, const Layout& layout,
                   const std::vector<unsigned>& groups);

}  // namespace ration::cuda::green
