#include "shim/policy/read_green.h"

#include <algorithm>

#include "shim/policy/draft.h"
#include "shim/policy/read_text.h"
#include "shim/policy/span.h"

namespace ration::policy {
namespace {

constexpr const char* kDeviceShareAllowed = R"(shares by device, such as { 0 = "25%", 1 = "50%" })";

// One device of a device_share.
void read_share_of(const std::string& key, const Entry& entry, Partition& to, Report& report) {
    auto device = parse_device(entry.key, true);
    if (!device.value) return report.add(entry.where, key + ' ' + device.error);
    const bool twice = std::any_of(to.devices.begin(), to.devices.end(), [&](const auto& other) {
        return other.text == device.value->text;
    });
    if (twice) {
        report.add(entry.where, key + " names device " + quote(device.value->text) +
                                    " twice; allowed: each device once");
    }
    const auto share = read_text<double>(key + '.' + one_line(entry.key, 64), entry.value,
                                         kShareAllowed, report, parse_share);
    to.devices.push_back(std::move(*device.value));
    to.device_share.push_back(share.value_or(100));
}

}  // namespace

void read_sm_groups(const std::string& key, const Value& value, Partition& to, Report& report) {
    const auto groups =
        read_text<std::vector<unsigned>>(key, value, kGroupsAllowed, report, parse_groups);
    if (groups) to.sm_groups = *groups;
}

void read_device_share(const std::string& key, const Value& value, Partition& to, Report& report) {
    if (value.kind != Value::Kind::kTable) {
        return report.wrong_type(key, value, kDeviceShareAllowed);
    }
    if (value.entries.empty()) {
        report.add(value.where, key + " is empty; allowed: " + kDeviceShareAllowed);
    }
    to.devices.clear();
    to.device_share.clear();
    for (const Entry& entry : value.entries) read_share_of(key, entry, to, report);
}

void read_granularity(const std::string& key, const Value& value, Partition& to, Report& report) {
    const int index = read_word(key, value, {"group", "fine"}, report);
    if (index >= 0) to.granularity = index == 0 ? SmGranularity::kGroup : SmGranularity::kFine;
}

void read_exclusive(const std::string& key, const Value& value, Partition& to, Report& report) {
    to.exclusive = read_boolean(key, value, report);
}

void read_wait(const std::string& key, const Value& value, Partition& to, Report& report) {
    const auto wait = read_text<std::chrono::seconds>(key, value, kWaitAllowed, report, parse_wait);
    if (wait) to.wait = *wait;
}

std::optional<Scope> read_scope(const std::string& key, const Value& value, Report& report) {
    constexpr Scope kScopes[] = {Scope::kProcess, Scope::kSlot, Scope::kUser, Scope::kCgroup};
    const int index = read_word(key, value, {"process", "slot", "user", "cgroup"}, report);
    if (index < 0) return std::nullopt;
    return kScopes[index];
}

void read_partition_scope(const std::string& key, const Value& value, Partition& to,
                          Report& report) {
    if (const auto scope = read_scope(key, value, report)) to.scope = *scope;
}

void read_report(const std::string& key, const Value& value, Partition& to, Report& report) {
    constexpr Reported kReported[] = {Reported::kStart, Reported::kMax, Reported::kMin};
    const int index = read_word(key, value, {"start", "max", "min"}, report);
    if (index >= 0) to.report = kReported[index];
}

void read_own_contexts(const std::string& key, const Value& value, Partition& to, Report& report) {
    const int index = read_word(key, value, {"refuse", "primary"}, report);
    if (index >= 0) to.own_contexts = index == 0 ? OwnContexts::kRefuse : OwnContexts::kPrimary;
}

}  // namespace ration::policy
