// What a plan for groups of SMs will probably be granted.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "shim/cuda/grant.h"
#include "shim/cuda/green/green_plan.h"
#include "shim/cuda/green/layout.h"
#include "shim/state/groups.h"

namespace ration::tool {

// What the prediction depends on: how the driver divides a device, and who holds groups of it.
struct GroupFacts {
    std::function<cuda::Or<cuda::green::Layout>(const std::string& uuid,
                                                policy::SmGranularity granularity)>
        layout;
    std::function<std::vector<state::Holder>(const std::string& uuid)> holders;
};

// Sets what `device` (its UUID and total) is granted; `index`: its place among the plan's devices.
// Notes: what the granularity costs, who is in the way of exclusive groups, and what would fit.
cuda::Or<cuda::DeviceGrant> predict_groups(const cuda::green::GreenPlan& plan, std::size_t index,
                                           const cuda::DeviceGrant& device, const GroupFacts& facts,
                                           std::vector<std::string>& notes);

}  // namespace ration::tool
