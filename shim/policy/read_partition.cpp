#include <algorithm>

#include "shim/policy/amount.h"
#include "shim/policy/draft.h"

namespace ration::policy {
namespace {

constexpr unsigned kMostSms = 65535;

// A string that `parse` understands.
template <typename T>
std::optional<T> read_text(const std::string& key, const Value& value, const char* allowed,
                           Report& report, Reading<T> (*parse)(std::string_view)) {
    if (value.kind != Value::Kind::kString) {
        report.wrong_type(key, value, allowed);
        return std::nullopt;
    }
    Reading<T> reading = parse(value.text);
    if (!reading.value) report.add(value.where, key + ' ' + reading.error);
    return std::move(reading.value);
}

void read_share(const std::string& key, const Value& value, Partition& to, Report& report) {
    to.share = read_text<double>(key, value, kShareAllowed, report, parse_share);
}

void read_sm(const std::string& key, const Value& value, Partition& to, Report& report) {
    to.sm = read_integer(key, value, 1, kMostSms, report);
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
        if (twice) report.add(item.where, "device " + quote(device->text) + " is named twice");
        to.devices.push_back(std::move(*device));
    });
}

void read_mechanism(const std::string& key, const Value& value, Partition& to, Report& report) {
    constexpr Mechanism kMechanisms[] = {Mechanism::kAuto, Mechanism::kMps, Mechanism::kMig};
    const int index = read_word(key, value, {"auto", "mps", "mig"}, report);
    if (index >= 0) to.mechanism = kMechanisms[index];
}

void read_priority(const std::string& key, const Value& value, Partition& to, Report& report) {
    to.priority = read_integer(key, value, 0, 1, report);
}

void read_override(const std::string& key, const Value& value, Partition& to, Report& report) {
    to.override_visible = read_boolean(key, value, report);
}

constexpr Key<Partition> kKeys[] = {
    {"share", read_share},       {"sm", read_sm},
    {"mig", read_mig},           {"memory", read_memory},
    {"device", read_device},     {"mechanism", read_mechanism},
    {"priority", read_priority}, {"override_visible", read_override},
};

// What an MPS client is limited by; a MIG instance is a device with a size of its own.
constexpr const char* kNotBesideMig[] = {"memory", "device", "priority"};
constexpr const char* kSizes[] = {"share", "sm", "mig"};

template <std::size_t kCount>
bool listed(const char* const (&names)[kCount], const std::string& name) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

void read_partition(const std::string& name, const Entry& entry, Draft& draft, Report& report) {
    Partition partition;
    partition.name = name;
    partition.place = report.place(entry.where);
    const std::size_t before = report.count();
    read_table(entry.value, '[' + name + ']', kKeys, partition, report);
    // What is missing may be misspelt, and reported already.
    if (report.count() == before) check_purpose(entry.value, name, entry.where, report);
    check_sizes(entry.value, name, report);
    if (const Entry* mechanism = find_entry(entry.value, "mechanism")) {
        check_mechanism(partition, mechanism->value.where, report);
    }
    draft.policy.partitions.emplace(name, std::move(partition));
}

}  // namespace

const Key<Partition>* find_partition_key(std::string_view name) { return find_key(kKeys, name); }

std::vector<std::string> partition_key_names() {
    std::vector<std::string> names;
    add_names(kKeys, names);
    return names;
}

void read_partitions(const std::string& key, const Value& value, Draft& draft, Report& report) {
    for_each_definition(key, value, draft, report, read_partition);
}

void check_sizes(const Value& table, const std::string& name, Report& report) {
    const Entry* first = nullptr;
    const bool mig = find_entry(table, "mig") != nullptr;
    for (const Entry& entry : table.entries) {
        const bool size = listed(kSizes, entry.key);
        if (size && first != nullptr) {
            report.add(entry.where, name + " has two sizes, " + first->key + " and " + entry.key +
                                        "; allowed: one of share, sm and mig");
        } else if (size) {
            first = &entry;
        } else if (mig && listed(kNotBesideMig, entry.key)) {
            report.add(entry.where, entry.key + " beside mig in " + name +
                                        "; allowed: mig alone, as a MIG instance is a device with "
                                        "a size of its own");
        }
    }
}

void check_purpose(const Value& table, const std::string& name, Position where, Report& report) {
    const bool limits =
        std::any_of(table.entries.begin(), table.entries.end(), [](const Entry& entry) {
            return listed(kSizes, entry.key) || listed(kNotBesideMig, entry.key);
        });
    if (!limits) {
        report.add(where, name +
                              " limits nothing; allowed: share, sm, mig, memory, device or "
                              "priority (share = \"100%\" for all of a GPU)");
    }
}

void check_mechanism(const Partition& partition, Position where, Report& report) {
    if (partition.mechanism == Mechanism::kMps && partition.mig) {
        report.add(where, "mechanism \"mps\" beside mig; allowed: \"mig\" or \"auto\"");
    }
    if (partition.mechanism == Mechanism::kMig && !partition.mig) {
        report.add(where, "mechanism \"mig\" without mig; allowed: with mig = \"MIG-<UUID>\"");
    }
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
