// A program's view of CUDA with a home in the place of device 0's primary context, and the stream
// layer before the simulated driver.
#pragma once

#include <functional>

#include "shim/cuda/stream/functions.h"
#include "shim/cuda/stream/layer.h"
#include "tests/gpu/support/lab.h"

namespace ration::cuda::stream {

using gpu::Lab;
using gpu::Report;

// The entry point as the program calls it.
template <Entry entry>
auto program() {
    return typed_function<entry>();
}

// Runs `work` in a fresh process, with the home current.
Report confined(const std::function<void(Lab& lab, Report& found)>& work,
                const gpu::Environment& more = {});

// The same in a child of a process in which the layer has begun, and that has not called cuInit.
// `before` runs in the parent, just before the fork.
Report confined_in_child(const std::function<void()>& before,
                         const std::function<void(Lab& lab, Report& found)>& work);

// The driver without the layer, in that process: its handles are the driver's own.
gpu::Cuda& bare();
// A home of a device, opened; what is current does not change. confined() makes device 0's.
struct Home {
    Domain* domain;
    CUcontext context;
    CUcontext primary;
    CUgreenCtx green;
};
Home make_home(CUdevice device);
Home& home();

}  // namespace ration::cuda::stream
