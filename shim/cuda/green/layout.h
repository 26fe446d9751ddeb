// How the driver divides a device's SMs into groups.
#pragma once

#include <string>
#include <vector>

#include "shim/cuda/green/calls.h"
#include "shim/cuda/refusal.h"
#include "shim/policy/policy.h"

namespace ration::cuda::green {

struct Layout {
    std::string uuid;                   // of the device, for messages
    unsigned total = 0;                 // SMs of the device
    unsigned rest = 0;                  // SMs that are in no group
    unsigned flags = 0;                 // that the driver was told
    std::vector<CUdevResource> groups;  // group k is the same SMs in every process (measured)

    unsigned size() const;  // SMs of the largest group
    bool fine() const { return flags != 0; }
};

// Asks the driver, which alone knows: 132 SMs are 15 groups of 8 and 12 left over, where 132 / 8
// would suggest 16 (measured: H100, driver 580.159.04). Needs no context. Refused, with what is
// possible instead: a driver without green contexts, and one that does not split because the
// process is an MPS client with a percentage.
Or<Layout> read_layout(const Calls& calls, CUdevice device, const std::string& uuid,
                       policy::SmGranularity granularity);

// The driver's version as people write it: "12.2".
std::string version_text(const Calls& calls);

}  // namespace ration::cuda::green
