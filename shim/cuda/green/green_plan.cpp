#include "shim/cuda/green/green_plan.h"

namespace ration::cuda::green {

GreenPlan green_plan(const policy::Partition& partition) {
    GreenPlan plan;
    plan.place = partition.place;
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

const Wish& wish_of(const GreenPlan& plan, std::size_t index) {
    static const Wish nothing;
    if (plan.wishes.empty()) return nothing;
    return plan.wishes[plan.wishes.size() == 1 ? 0 : index];
}

Or<Need> need_of(const GreenPlan& plan, std::size_t index, const Layout& layout) {
    auto need = round_to_groups(wish_of(plan, index), layout);
    if (const Refusal* refusal = refusal_of(need)) {
        return Refusal{refusal->code, format(policy::Diagnostic{plan.place, refusal->line})};
    }
    return need;
}

}  // namespace ration::cuda::green
