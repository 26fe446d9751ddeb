#include <algorithm>
#include <map>

#include "shim/policy/amount.h"
#include "shim/policy/draft.h"

namespace ration::policy {
namespace {

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
        if (twice) report.add(item.where, "device " + quote(device->text) + " is named twice");
        to.devices.push_back(std::move(*device));
    });
}

void read_mechanism(const std::string& key, const Value& value, Partition& to, Report& report) {
    constexpr Mechanism kMechanisms[] = {Mechanism::kAuto, Mechanism::kMps, Mechanism::kMig,
                                         Mechanism::kCuMask};
    const int index = read_word(key, value, {"auto", "mps", "mig", "cu-mask"}, report);
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
    {"cu", read_cu},
    {"cu_mask", read_cu_mask},
    {"mig", read_mig},
    {"memory", read_memory},
    {"device", read_device},
    {"mechanism", read_mechanism},
    {"distribution", read_distribution},
    {"priority", read_priority},
    {"override_visible", read_override},
};

// What an MPS client is limited by; a MIG instance is a device with a size of its own.
constexpr const char* kNotBesideMig[] = {"memory", "device", "priority"};
constexpr const char* kSizes[] = {"share", "sm", "cu", "cu_mask", "mig"};

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
    const bool number = find_entry(table, "share") != nullptr || find_entry(table, "cu") != nullptr;
    for (const Entry& entry : table.entries) {
        const bool size = listed(kSizes, entry.key);
        if (size && first != nullptr) {
            report.add(entry.where, name + " has two sizes, " + first->key + " and " + entry.key +
                                        "; allowed: one of share, sm, cu, cu_mask and mig");
        } else if (size) {
            first = &entry;
        } else if (mig && listed(kNotBesideMig, entry.key)) {
            report.add(entry.where, entry.key + " beside mig in " + name +
                                        "; allowed: mig alone, as a MIG instance is a device with "
                                        "a size of its own");
        } else if (entry.key == "distribution" && !number) {
            report.add(entry.where, "distribution in " + name +
                                        " without a number of CUs; allowed: with share or cu");
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
                              " limits nothing; allowed: share, sm, cu, cu_mask, mig, memory, "
                              "device or priority (share = \"100%\" for all of a GPU)");
    }
}

void check_mechanism(const Partition& partition, Position where, Report& report) {
    const auto beside = [&](const char* mechanism, const char* key, const char* allowed) {
        report.add(where, std::string("mechanism \"") + mechanism + "\" beside " + key +
                              "; allowed: \"" + allowed + "\" or \"auto\"");
    };
    const char* const of_amd = partition.cu ? "cu" : partition.cu_mask ? "cu_mask" : nullptr;
    const bool number = partition.share || of_amd != nullptr;
    switch (partition.mechanism) {
        case Mechanism::kAuto:
            return;
        case Mechanism::kMps:
            if (partition.mig) beside("mps", "mig", "mig");
            if (of_amd != nullptr) beside("mps", of_amd, "cu-mask");
            return;
        case Mechanism::kMig:
            if (partition.mig) return;
            return report.add(where,
                              "mechanism \"mig\" without mig; allowed: with mig = \"MIG-<UUID>\"");
        case Mechanism::kCuMask:
            if (partition.sm) return beside("cu-mask", "sm", "mps");
            if (partition.mig) return beside("cu-mask", "mig", "mig");
            if (number) return;
            return report.add(where,
                              "mechanism \"cu-mask\" without a size; allowed: with share, cu "
                              "or cu_mask");
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
