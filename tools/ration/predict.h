// What a plan will probably be granted, computed without asking the CUDA driver.
#pragma once

#include <optional>
#include <string>

#include "shim/cuda/grant.h"
#include "shim/cuda/plan.h"

namespace ration::tool {

struct Prediction {
    state::Record record;                // as `describe` fills it in
    std::optional<std::string> refusal;  // the pool does not fit its devices
};

// `visible`: CUDA_VISIBLE_DEVICES of the process, which bounds a plan that names no devices.
Prediction predict(const cuda::Plan& plan, const cuda::Inventory& inventory,
                   const std::optional<std::string>& visible);

}  // namespace ration::tool
