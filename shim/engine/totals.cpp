#include "shim/engine/totals.h"

#include <algorithm>

#include "shim/cuda/totals.h"
#include "shim/engine/recorder.h"

namespace ration::engine {

TotalsSource::TotalsSource(const cuda::Plan& plan, const std::vector<cuda::Reading>& readings)
    // Where the plan has goals, the inventory was read for them just now.
    : needed_(plan.percent.has_value() && plan.goals.empty() && !readings.empty()),
      planned_notes_(plan.notes.size()) {
    if (needed_) remembered_ = cuda::load_totals(runtime_directory(false).path);
}

bool TotalsSource::worth_asking(const cuda::Grant* grant) const {
    if (!needed_) return false;
    if (grant == nullptr || grant->notes.size() > planned_notes_) return true;
    return std::any_of(grant->devices.begin(), grant->devices.end(),
                       [](const cuda::DeviceGrant& device) { return device.total == 0; });
}

cuda::Totals TotalsSource::asked() const {
    cuda::Totals totals;
    for (const cuda::Device& device : cuda::read_inventory(false).devices) {
        if (device.sms != 0) totals[device.uuid] = device.sms;
    }
    cuda::Totals together = totals;
    together.insert(remembered_.begin(), remembered_.end());
    if (together != remembered_) cuda::store_totals(runtime_directory(false).path, together);
    return together;
}

}  // namespace ration::engine
