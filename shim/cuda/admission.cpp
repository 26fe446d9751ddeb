#include "shim/cuda/admission.h"

#include <algorithm>
#include <numeric>

#include "shim/policy/decide.h"

namespace ration::cuda {
namespace {

bool on_device(const SlotUse& slot, const std::string& uuid) {
    return slot.uuids.empty() || std::count(slot.uuids.begin(), slot.uuids.end(), uuid) > 0;
}

double percent_of(const SlotUse& slot, const DeviceGrant& device) {
    if (!on_device(slot, device.uuid)) return 0;
    if (slot.sm) return 100.0 * *slot.sm / device.total;
    return slot.share.value_or(0);
}

}  // namespace

std::optional<Refusal> admit(const Plan& plan, const std::vector<DeviceGrant>& devices) {
    for (const DeviceGrant& device : devices) {
        if (plan.slots.empty() || device.total == 0) continue;
        std::vector<double> percents;
        for (const SlotUse& slot : plan.slots) percents.push_back(percent_of(slot, device));
        const auto rounded = policy::round_pool(percents, device.total, policy::kMpsGranularity);
        if (rounded.excess == 0) continue;
        const auto used = std::accumulate(rounded.granted.begin(), rounded.granted.end(), 0U);
        const auto slots =
            rounded.granted.size() - static_cast<std::size_t>(std::count(
                                         rounded.granted.begin(), rounded.granted.end(), 0U));
        return Refusal{
            CUDA_ERROR_NOT_PERMITTED,
            plan.pool + " does not fit " + device.uuid + ": its " + std::to_string(slots) +
                " slots there are granted " + std::to_string(used) + " SMs, at least " +
                std::to_string(policy::kMpsGranularity.minimum) + " each, and the device has " +
                std::to_string(device.total) + ": use fewer slots, or set oversubscribe = true"};
    }
    return std::nullopt;
}

}  // namespace ration::cuda
