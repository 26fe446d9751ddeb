// What a plan will probably be granted, computed without asking the CUDA driver.
#pragma once

#include <optional>
#include <string>

#include "shim/cuda/grant.h"
#include "shim/cuda/plan.h"
#include "tools/ration/green_prediction.h"

namespace ration::tool {

struct Prediction {
    state::Record record;  // as `describe` fills it in
    // The pool does not fit its devices, or the driver's groups do not serve.
    std::optional<std::string> refusal;
    std::vector<std::string> notes;  // besides the plan's
};

// `visible`: CUDA_VISIBLE_DEVICES of the process, which bounds a plan that names no devices.
// `facts` are asked for a plan of groups alone.
Prediction predict(const cuda::Plan& plan, const cuda::Inventory& inventory,
                   const std::optional<std::string>& visible, const GroupFacts& facts);

}  // namespace ration::tool
