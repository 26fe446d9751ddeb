#include "tools/ration/predict.h"

#include <algorithm>

#include "shim/cuda/admission.h"
#include "shim/cuda/memory_limit.h"
#include "shim/cuda/visible.h"
#include "shim/policy/decide.h"

namespace ration::tool {
namespace {

using cuda::Goal;

// The devices that a process sees whose plan does not bound them.
std::vector<Goal> visible_goals(const cuda::Inventory& inventory,
                                const std::optional<std::string>& visible) {
    std::vector<Goal> goals;
    const cuda::Visible list = cuda::read_visible(visible, inventory);
    if (!list.restricted) {
        for (const cuda::Device& device : inventory.devices) {
            goals.push_back({device.uuid, device.sms, 0});
        }
        return goals;
    }
    for (const cuda::Target& target : list.targets) {
        if (target.kind == cuda::Target::Kind::kMig) {
            const cuda::MigInstance& instance = inventory.instances[target.index];
            goals.push_back({instance.uuid, instance.sms, 0});
        } else {
            const cuda::Device& device = inventory.devices[target.index];
            goals.push_back({device.uuid, device.sms, 0});
        }
    }
    return goals;
}

// The plan carries a total only where it needed one.
unsigned total_of(const Goal& goal, const cuda::Inventory& inventory) {
    const auto found =
        std::find_if(inventory.devices.begin(), inventory.devices.end(),
                     [&](const cuda::Device& device) { return device.uuid == goal.uuid; });
    return goal.total != 0 || found == inventory.devices.end() ? goal.total : found->sms;
}

// MiB of what the device has by NVML, which may be a little more than the driver says.
std::uint64_t counted_memory(const Goal& goal, const cuda::Plan& plan,
                             const cuda::Inventory& inventory) {
    std::uint64_t total = 0;
    for (const cuda::Device& device : inventory.devices) {
        if (device.uuid == goal.uuid) total = device.memory;
    }
    for (const cuda::MigInstance& instance : inventory.instances) {
        if (instance.uuid == goal.uuid) total = instance.memory;
    }
    return cuda::mebibytes(plan.counted->memory, total).value_or(0);
}

}  // namespace

Prediction predict(const cuda::Plan& plan, const cuda::Inventory& inventory,
                   const std::optional<std::string>& visible, const GroupFacts& facts) {
    Prediction prediction;
    cuda::Grant grant;
    grant.asked = plan.asked;
    grant.mechanism = cuda::name(plan.applied);
    grant.concurrent = plan.green ? plan.green->served : plan.applied != cuda::Applied::kNone;
    grant.counted = plan.counted.has_value();
    grant.notes = plan.notes;
    for (const Goal& goal : plan.goals.empty() ? visible_goals(inventory, visible) : plan.goals) {
        cuda::DeviceGrant device{goal.uuid, 0, total_of(goal, inventory), goal.memory, {}};
        if (plan.counted) device.memory = counted_memory(goal, plan, inventory);
        device.granted =
            plan.applied == cuda::Applied::kMps && plan.percent
                ? policy::granted_units(*plan.percent, device.total, policy::kMpsGranularity)
                : device.total;
        if (plan.green) {
            const auto groups =
                predict_groups(*plan.green, grant.devices.size(), device, facts, prediction.notes);
            if (const cuda::Refusal* refusal = cuda::refusal_of(groups)) {
                prediction.refusal = refusal->line;
                return prediction;
            }
            device = std::get<cuda::DeviceGrant>(groups);
        }
        grant.devices.push_back(device);
    }
    if (const auto refusal = cuda::admit(plan, grant.devices)) {
        prediction.refusal = refusal->line;
    }
    cuda::describe(grant, prediction.record);
    return prediction;
}

}  // namespace ration::tool
