#include <algorithm>
#include <map>

#include "shim/policy/amount.h"
#include "shim/policy/draft.h"
#include "shim/policy/read_green.h"
#include "shim/policy/read_text.h"

namespace ration::policy {
namespace {

void read_share(const std::string& key, const Value& value, Partition& to, Report& report) {
    to.share = read_text<double>(key, value, kShareAllowed, report, parse_share);
}

void read_sm(const std::string& key, const Value& value, Partition& to, Report& report) {
    to.sm = read_integer(key, value, 1, kMostSms, report);
}

void read_cu(const std::string& key, const Value& value, Partition& to, Report& report) {
    to.cu = read_integer(key, value, 1, kMostCus, report);
}

// One shader engine of a cu_mask. `written`: how the text names those that were read before.
void read_engine(const std::string& key, const Entry& entry, EngineMasks& masks,
                 std::map<unsigned, std::string>& written, Report& report) {
    const auto engine = parse_engine(entry.key);
    if (!engine.value) return report.add(entry.where, key + ' ' + engine.error);
    const auto [first, fresh] = written.emplace(*engine.value, entry.key);
    if (!fresh) {
        report.add(entry.where, key + " names shader engine " + std::to_string(*engine.value) +
                                    " twice, as " + quote(first->second) + " and " +
                                    quote(entry.key) + "; allowed: each shader engine once");
    }
    const auto bits = read_text<std::uint64_t>(key + '.' + entry.key, entry.value,
                                               kEngineBitsAllowed, report, parse_engine_bits);
    if (bits) masks.emplace(*engine.value, *bits);
}

void read_cu_mask(const std::string& key, const Value& value, Partition& to, Report& report) {
    if (value.kind != Value::Kind::kTable) return report.wrong_type(key, value, kCuMaskAllowed);
    const std::size_t before = report.count();
    EngineMasks masks;
    std::map<unsigned, std::string> written;
    for (const Entry& entry : value.entries) read_engine(key, entry, masks, written, report);
    const bool some = std::any_of(masks.begin(), masks.end(),
                                  [](const auto& engine) { return engine.second != 0; });
    if (!some && report.count() == before) {
        report.add(value.where, key + (masks.empty() ? " is empty" : " has no CU") +
                                    "; allowed: " + kCuMaskAllowed);
    }
    to.cu_mask = std::move(masks);
}

void read_mig(const std::string& key, const Value& value, Partition& to, Report& report) {
    to.mig = read_text<std::string>(key, value, kMigAllowed, report, parse_mig);
}

void read_memory(const std::string& key, const Value& value, Partition& to, Report& report) {
    to.memory = read_text<Memory>(key, value, kMemoryAllowed, report, parse_memory);
}

std::optional<DeviceSelector> read_one_device(const std::string& key, const Value& value,
                                              Report& report) {
    if (value.kind == Value::Kind::kInteger) {
        const std::size_t before = report.count();
        const unsigned index = read_integer(key, value, 0, kMaxDeviceIndex, report);
        if (report.count() != before) return std::nullopt;
        return device_at(index);
    }
    return read_text<DeviceSelector>(key, value, kDeviceAllowed, report, [](std::string_view text) {
        return parse_device(text, false);
    });
}

void read_device(const std::string& key, const Value& value, Partition& to, Report& report) {
    to.devices.clear();
    for_each_item(key, value, report, [&](const Value& item) {
        auto device = read_one_device(key, item, report);
        if (!device) return;
        const bool twice =
            std::any_of(to.devices.begin(), to.devices.end(),
                        [&](const auto& other) { return other.text == device->text; });
        if (twice)
            report.add(item.where, "device " + quote(device->text) +
                                       " is named twice; allowed: each device once");
        to.devices.push_back(std::move(*device));
    });
}

void read_mechanism(const std::string& key, const Value& value, Partition& to, Report& report) {
    constexpr Mechanism kMechanisms[] = {Mechanism::kAuto, Mechanism::kMps, Mechanism::kMig,
                                         Mechanism::kGreen, Mechanism::kCuMask};
    const int index = read_word(key, value, {"auto", "mps", "mig", "green", "cu-mask"}, report);
    if (index >= 0) to.mechanism = kMechanisms[index];
}

void read_distribution(const std::string& key, const Value& value, Partition& to, Report& report) {
    const int index = read_word(key, value, {"even", "engines"}, report);
    if (index >= 0) to.distribution = index == 0 ? Distribution::kEven : Distribution::kEngines;
}

void read_priority(const std::string& key, const Value& value, Partition& to, Report& report) {
    to.priority = read_integer(key, value, 0, 1, report);
}

void read_override(const std::string& key, const Value& value, Partition& to, Report& report) {
    to.override_visible = read_boolean(key, value, report);
}

constexpr Key<Partition> kKeys[] = {
    {"share", read_share},
    {"sm", read_sm},
    {"sm_groups", read_sm_groups},
    {"device_share", read_device_share},
    {"cu", read_cu},
    {"cu_mask", read_cu_mask},
    {"mig", read_mig},
    {"memory", read_memory},
    {"device", read_device},
    {"mechanism", read_mechanism},
    {"distribution", read_distribution},
    {"granularity", read_granularity},
    {"exclusive", read_exclusive},
    {"wait", read_wait},
    {"scope", read_partition_scope},
    {"report", read_report},
    {"own_contexts", read_own_contexts},
    {"priority", read_priority},
    {"override_visible", read_override},
};

void add_partition(const std::string& name, const Entry& entry, Draft& draft, Report& report) {
    draft.policy.partitions.emplace(name, read_partition(name, '[' + name + ']', entry, report));
}

}  // namespace

Partition read_partition(const std::string& name, const std::string& title, const Entry& entry,
                         Report& report) {
    Partition partition;
    partition.name = name;
    partition.place = report.place(entry.where);
    const std::size_t before = report.count();
    read_table(entry.value, title, kKeys, partition, report);
    // What is missing may be misspelt, and reported already.
    if (report.count() == before) {
        check_purpose(entry.value, name, entry.where, report);
        if (report.count() != before) return partition;
    }
    check_sizes(entry.value, name, report);
    check_values(
        partition, name,
        [&](const char* key) {
            const Entry* at = find_entry(entry.value, key);
            return at == nullptr ? entry.where : at->value.where;
        },
        report);
    return partition;
}

const Key<Partition>* find_partition_key(std::string_view name) { return find_key(kKeys, name); }

std::vector<std::string> partition_key_names() {
    std::vector<std::string> names;
    add_names(kKeys, names);
    return names;
}

void read_partitions(const std::string& key, const Value& value, Draft& draft, Report& report) {
    for_each_definition(key, value, draft, report, add_partition);
}

void for_each_definition(const std::string& key, const Value& value, Draft& draft, Report& report,
                         void (*read)(const std::string& name, const Entry& entry, Draft& draft,
                                      Report& report)) {
    const std::string allowed = "tables such as [" + key + ".NAME]";
    if (value.kind != Value::Kind::kTable) return report.wrong_type(key, value, allowed);
    for (const Entry& entry : value.entries) {
        const std::string name = key + '.' + one_line(entry.key, 64);
        if (entry.value.kind != Value::Kind::kTable) {
            report.add(entry.where,
                       name + " is " + kind_name(entry.value.kind) + "; allowed: " + allowed);
            continue;
        }
        if (!is_name(entry.key)) {
            report.add(entry.where, "the name " + quote(entry.key) + " of a " + key +
                                        "; allowed: " + kNameAllowed);
        }
        const auto [known, fresh] = draft.definitions.emplace(name, report.place(entry.where));
        if (!fresh) {
            report.add(entry.where, name + " is in " + format(known->second) +
                                        " already; allowed: each name once in all files");
        }
        read(name, entry, draft, report);
    }
}

}  // namespace ration::policy
