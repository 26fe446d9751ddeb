// The CUDA driver as it answers here, asked in a process of its own: a broken driver may crash or
// hang.
#pragma once

#include <chrono>

#include "tools/ration/output.h"

namespace ration::tool {

// Starts this executable again as `ration doctor --probe-driver`, bare (without LD_PRELOAD and
// outside MPS), and returns what it printed:
//   library  path of libcuda.so.1, or null     version  "13.0", or null
//   init     what cuInit answered, or null     init_name  "CUDA_SUCCESS"
//   devices  [{index, name, uuid, sms, memory, groups}] in the order of CUDA_VISIBLE_DEVICES
//   problem  what went wrong, or null: not found, an error, a crash, no answer in time
Json probe_driver(std::chrono::seconds limit);

// The child's side: asks the driver, prints the answers as they come.
int answer_driver_probe();

}  // namespace ration::tool
