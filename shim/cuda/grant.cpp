#include "shim/cuda/grant.h"

#include <algorithm>

#include "shim/cuda/share.h"

namespace ration::cuda {
namespace {

std::string one_decimal(double value) {
    const auto tenths = static_cast<unsigned long>(value * 10 + 0.5);
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

std::string text_of(const DeviceGrant& device) {
    const std::string granted = std::to_string(device.granted);
    if (device.total == 0) return granted + " SMs";
    return granted + " of " + std::to_string(device.total) + " SMs (" +
           one_decimal(100.0 * device.granted / device.total) + " %)" +
           (device.groups.empty() ? "" : ", groups " + device.groups);
}

}  // namespace

std::string granted_text(const std::vector<DeviceGrant>& devices) {
    if (devices.empty()) return "no device";
    const std::string first = text_of(devices.front());
    if (devices.size() == 1) return first;
    const bool alike = std::all_of(devices.begin(), devices.end(), [&](const DeviceGrant& device) {
        return text_of(device) == first;
    });
    if (alike) return first + " on each of " + std::to_string(devices.size()) + " devices";
    std::string all;
    for (const DeviceGrant& device : devices) all += (all.empty() ? "" : "; ") + text_of(device);
    return all;
}

std::string percent_text(double percent) { return percentage_text(percent) + " %"; }

std::string grant_line(const state::Record& record) {
    std::string line = "asked " + record.asked + ", granted " + record.granted + ", " +
                       record.mechanism + ", concurrent: " + (record.concurrent ? "yes" : "no");
    if (record.memory_quota != 0) {
        line += ", memory " + std::to_string(record.memory_quota >> 20) + " MiB";
        if (record.memory_counted) line += ", counted by ration";
    }
    return line;
}

void describe(const Grant& grant, state::Record& record) {
    record.asked = grant.asked;
    record.mechanism = grant.mechanism;
    record.concurrent = grant.concurrent;
    record.granted = granted_text(grant.devices);
    record.device.clear();
    record.memory_quota = 0;
    record.memory_counted = grant.counted;
    for (const DeviceGrant& device : grant.devices) {
        record.device += (record.device.empty() ? "" : ",") + device.uuid;
        record.memory_quota = std::max(record.memory_quota, device.memory << 20);
    }
    record.why.clear();
    for (const std::string& note : grant.notes)
        record.why += (record.why.empty() ? "" : "; ") + note;
}

}  // namespace ration::cuda
