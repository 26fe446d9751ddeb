#include "shim/amd/grant.h"

#include <algorithm>

#include "shim/amd/wording.h"

namespace ration::amd {

std::string granted_text(const std::vector<DeviceLimit>& devices) {
    if (devices.empty()) return "no device";
    const auto text = [](const DeviceLimit& device) {
        return granted_text(device.cus, device.gpu);
    };
    const std::string first = text(devices.front());
    if (devices.size() == 1) return first;
    if (std::all_of(devices.begin(), devices.end(),
                    [&](const DeviceLimit& device) { return text(device) == first; })) {
        return first + " on each of " + std::to_string(devices.size()) + " devices";
    }
    std::string all;
    for (const DeviceLimit& device : devices) all += (all.empty() ? "" : "; ") + text(device);
    return all;
}

void describe(const Plan& plan, state::Record& record) {
    record.asked = plan.asked;
    record.mechanism = plan.masks() ? "cu-mask" : "none";
    record.concurrent = true;  // the hardware runs the queues of all processes side by side
    record.granted = granted_text(plan.devices);
    record.device.clear();
    record.memory_quota = 0;
    for (const DeviceLimit& device : plan.devices) {
        const std::string& name = device.gpu.uuid.empty() ? device.gpu.pci : device.gpu.uuid;
        record.device += (record.device.empty() ? "" : ",") + name;
        record.memory_quota = std::max(record.memory_quota, device.memory.value_or(0));
    }
    record.why.clear();
    for (const std::string& note : plan.notes) {
        record.why += (record.why.empty() ? "" : "; ") + note;
    }
}

}  // namespace ration::amd
