// What is to become of this process on NVIDIA GPUs: policy, identity and surroundings in, one value
// out.
#pragma once

#include "shim/cuda/plan.h"
#include "shim/engine/verdict.h"

namespace ration::engine {

struct Ruling : Verdict {
    CUresult code = CUDA_SUCCESS;  // kRefused: what every hooked call answers
    cuda::Plan plan;
};

// Pure but for its arguments.
Ruling rule(const policy::Found& found, const policy::Subject& subject,
            const cuda::Surroundings& surroundings);

}  // namespace ration::engine
