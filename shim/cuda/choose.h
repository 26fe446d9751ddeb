// Which mechanism keeps what a partition asks of NVIDIA's GPUs.
#pragma once

#include <optional>
#include <string>

#include "shim/policy/policy.h"

namespace ration::cuda {

struct Choice {
    // kMps, kMig or kGreen; nullopt: the partition says nothing of SMs that a mechanism must keep.
    std::optional<policy::Mechanism> mechanism;
    // Whether it is refused where no MPS daemon answers. Without one, processes only take turns:
    // a part of the SMs makes each turn longer.
    bool needs_daemon = false;
    std::string why;  // "exclusive hands out groups of SMs", for `explain`
};

// Pure. What is written wins; of what "auto" has to keep, groups of SMs keep all but a priority,
// and an MPS percentage, which costs nothing at all, a plain share.
Choice choose_mechanism(const policy::Partition& partition);

}  // namespace ration::cuda
