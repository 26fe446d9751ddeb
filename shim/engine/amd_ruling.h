// What is to become of this process on AMD GPUs: policy, identity and surroundings in, one value
// out.
#pragma once

#include "shim/amd/plan.h"
#include "shim/engine/verdict.h"

namespace ration::engine {

struct AmdRuling : Verdict {
    amd::Plan plan;
};

// Pure but for its arguments. A node without AMD GPUs has nothing to be confined to: communication
// libraries initialise HSA on every node to see whether there are some, and a policy for NVIDIA's
// must not be held against them.
AmdRuling rule_amd(const policy::Found& found, const policy::Subject& subject,
                   const amd::Surroundings& surroundings);

}  // namespace ration::engine
