// What a plan says of green contexts.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "shim/cuda/green/rounding.h"
#include "shim/policy/policy.h"

namespace ration::cuda::green {

struct GreenPlan {
    policy::Place place;       // of the partition
    std::vector<Wish> wishes;  // one for every device, or one for each goal of the plan
    policy::SmGranularity granularity = policy::SmGranularity::kGroup;
    // An MPS daemon answers: partitions run side by side, and not one after the other.
    bool served = false;
    bool exclusive = false;        // groups that no other live partition has
    std::chrono::seconds wait{0};  // for them
    policy::Scope scope = policy::Scope::kProcess;
    std::string cgroup;  // of a scope of cgroups
    std::string slot;    // the partition's name, by which a scope of slots is known
    policy::OwnContexts own_contexts = policy::OwnContexts::kRefuse;
};

// What the partition says. Whether it is served is not known here.
GreenPlan green_plan(const policy::Partition& partition);

// Of the plan's device number `index`.
const Wish& wish_of(const GreenPlan& plan, std::size_t index);

// round_to_groups() of a device that is not wanted whole; a refusal tells the policy's place.
Or<Need> need_of(const GreenPlan& plan, std::size_t index, const Layout& layout);

}  // namespace ration::cuda::green
