#include "shim/cuda/green/green_plan.h"

namespace ration::cuda::green {

GreenPlan green_plan(const policy::Partition& partition) {
    GreenPlan plan;
    for (const double share : partition.device_share) {
        plan.wishes.emplace_back().share = share;
    }
    if (plan.wishes.empty()) {
        plan.wishes.push_back({partition.share, partition.sm, partition.sm_groups});
    }
    plan.granularity = partition.granularity;
    plan.exclusive = partition.exclusive;
    plan.wait = partition.wait;
    plan.scope = partition.scope;
    plan.cgroup = partition.scope_cgroup;
    plan.slot = partition.name;
    plan.own_contexts = partition.own_contexts;
    return plan;
}

}  // namespace ration::cuda::green
