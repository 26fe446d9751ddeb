// Keys and values of a partition that do not fit each other.
#include <algorithm>

#include "shim/policy/draft.h"

namespace ration::policy {
namespace {

// Beside one of these a MIG instance would have a second size, or a second device.
constexpr const char* kNotBesideMig[] = {"memory",      "device", "priority", "exclusive",   "wait",
                                         "granularity", "scope",  "report",   "own_contexts"};
constexpr const char* kSizes[] = {"share", "sm",      "sm_groups", "device_share",
                                  "cu",    "cu_mask", "mig"};
constexpr const char* kOtherLimits[] = {"memory", "device", "priority"};

template <std::size_t kCount>
bool listed(const char* const (&names)[kCount], const std::string& name) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// The size that names SMs of NVIDIA's or a part of either vendor's; nullptr: none of these.
const char* size_in_sms(const Partition& partition) {
    if (partition.share) return "share";
    if (partition.sm) return "sm";
    if (!partition.sm_groups.empty()) return "sm_groups";
    return partition.device_share.empty() ? nullptr : "device_share";
}

const char* size_in_cus(const Partition& partition) {
    return partition.cu ? "cu" : partition.cu_mask ? "cu_mask" : nullptr;
}

// Keys that only groups of SMs can keep.
struct OfGroups {
    const char* key;
    bool (*asked)(const Partition&);
    const char* not_by_mps;
};
constexpr OfGroups kOfGroups[] = {
    {"sm_groups", [](const Partition& of) { return !of.sm_groups.empty(); },
     "an MPS percentage names no SMs"},
    {"device_share", [](const Partition& of) { return !of.device_share.empty(); },
     "a process has one MPS percentage for all devices"},
    {"exclusive", [](const Partition& of) { return of.exclusive; },
     "an MPS percentage names no SMs that could be held"},
    {"granularity", [](const Partition& of) { return of.granularity != SmGranularity::kGroup; },
     "an MPS percentage is of single SMs"},
    {"report", [](const Partition& of) { return of.report != Reported::kStart; },
     "an MPS percentage stays what it is"},
    {"own_contexts", [](const Partition& of) { return of.own_contexts != OwnContexts::kRefuse; },
     "MPS confines every context"},
};

constexpr const char* kWithSms = "with share, sm, sm_groups or device_share";

class Checker {
  public:
    Checker(const Partition& partition, const std::string& name, const PlaceOf& place_of,
            Report& report)
        : partition_(partition), name_(name), place_of_(place_of), report_(report) {}

    void check() {
        check_mechanism();
        if (!partition_.mig) check_groups();  // beside mig each key is reported by itself
        if (partition_.wait.count() > 0 && !partition_.exclusive) {
            add("wait", "wait in " + name_ + " without exclusive; allowed: with exclusive = true");
        }
        const std::string mistake = scope_mistake(partition_.scope, partition_);
        if (!mistake.empty() && !partition_.mig) {
            add("scope", "scope in " + name_ + mistake);
        }
    }

  private:
    void add(const char* key, std::string text) { report_.add(place_of_(key), std::move(text)); }

    void beside(const char* mechanism, const char* key, const char* allowed) {
        add("mechanism", std::string("mechanism \"") + mechanism + "\" beside " + key +
                             "; allowed: \"" + allowed + "\" or \"auto\"");
    }

    void without_size(const char* mechanism, const char* allowed) {
        add("mechanism",
            std::string("mechanism \"") + mechanism + "\" without a size; allowed: " + allowed);
    }

    void check_mechanism() {
        const char* const cus = size_in_cus(partition_);
        const char* const sms = size_in_sms(partition_);
        const bool only_sms = sms != nullptr && !partition_.share;
        switch (partition_.mechanism) {
            case Mechanism::kAuto:
                return;
            case Mechanism::kMps:
                if (partition_.mig) beside("mps", "mig", "mig");
                if (cus != nullptr) beside("mps", cus, "cu-mask");
                return;
            case Mechanism::kMig:
                if (partition_.mig) return;
                return add("mechanism",
                           "mechanism \"mig\" without mig; allowed: with mig = \"MIG-<UUID>\"");
            case Mechanism::kGreen:
                if (partition_.mig) return beside("green", "mig", "mig");
                if (cus != nullptr) return beside("green", cus, "cu-mask");
                if (sms == nullptr) without_size("green", kWithSms);
                return;
            case Mechanism::kCuMask:
                if (only_sms) return beside("cu-mask", sms, partition_.sm ? "mps" : "green");
                if (partition_.mig) return beside("cu-mask", "mig", "mig");
                if (sms == nullptr && cus == nullptr) {
                    without_size("cu-mask", "with share, cu or cu_mask");
                }
                return;
        }
    }

    void check_groups() {
        for (const OfGroups& row : kOfGroups) {
            if (!row.asked(partition_)) continue;
            const std::string key = row.key;
            if (partition_.mechanism == Mechanism::kMps) {
                add(row.key, key + " beside mechanism \"mps\" in " + name_ + ": " + row.not_by_mps +
                                 "; allowed: mechanism \"green\" or \"auto\"");
            } else if (size_in_cus(partition_) != nullptr ||
                       (partition_.mechanism == Mechanism::kCuMask && partition_.share)) {
                add(row.key, key + " in " + name_ +
                                 " is about SMs, which AMD GPUs do not have; allowed: " + kWithSms +
                                 ", by mechanism \"green\" or \"auto\"");
            } else if (size_in_sms(partition_) == nullptr) {
                add(row.key,
                    key + " in " + name_ + " without a number of SMs; allowed: " + kWithSms);
            }
        }
    }

    const Partition& partition_;
    const std::string& name_;
    const PlaceOf& place_of_;
    Report& report_;
};

}  // namespace

void check_sizes(const Value& table, const std::string& name, Report& report) {
    const Entry* first = nullptr;
    const bool mig = find_entry(table, "mig") != nullptr;
    const bool number = find_entry(table, "share") != nullptr || find_entry(table, "cu") != nullptr;
    const bool names_devices = find_entry(table, "device_share") != nullptr;
    for (const Entry& entry : table.entries) {
        const bool size = listed(kSizes, entry.key);
        if (size && first != nullptr) {
            report.add(entry.where, name + " has two sizes, " + first->key + " and " + entry.key +
                                        "; allowed: one of " +
                                        join({std::begin(kSizes), std::end(kSizes) - 1}) +
                                        " and mig");
        } else if (size) {
            first = &entry;
        } else if (mig && listed(kNotBesideMig, entry.key)) {
            report.add(entry.where, entry.key + " beside mig in " + name +
                                        "; allowed: mig alone, as a MIG instance is a device with "
                                        "a size of its own");
        } else if (names_devices && entry.key == "device") {
            report.add(entry.where, "device beside device_share in " + name +
                                        "; allowed: device_share alone, as it names the devices");
        } else if (entry.key == "distribution" && !number) {
            report.add(entry.where, "distribution in " + name +
                                        " without a number of CUs; allowed: with share or cu");
        }
    }
}

void check_purpose(const Value& table, const std::string& name, Position where, Report& report) {
    const bool limits =
        std::any_of(table.entries.begin(), table.entries.end(), [](const Entry& entry) {
            return listed(kSizes, entry.key) || listed(kOtherLimits, entry.key);
        });
    if (!limits) {
        report.add(where, name + " limits nothing; allowed: " +
                              join({std::begin(kSizes), std::end(kSizes)}) +
                              ", memory, device or priority (share = \"100%\" for all of a GPU)");
    }
}

void check_values(const Partition& partition, const std::string& name, const PlaceOf& place_of,
                  Report& report) {
    Checker(partition, name, place_of, report).check();
}

std::string scope_mistake(Scope scope, const Partition& partition) {
    if (scope == Scope::kProcess) return {};
    if (partition.mig) {
        return " beside mig: a MIG instance serves every process that may use it as one; allowed: "
               "without scope";
    }
    const char* const cus = size_in_cus(partition);
    if (cus != nullptr || partition.mechanism == Mechanism::kCuMask) {
        return std::string(" beside ") + (cus != nullptr ? cus : "mechanism \"cu-mask\"") +
               ": CUs and memory of AMD are given to each process; allowed: scope = \"process\"";
    }
    if (size_in_sms(partition) == nullptr && !partition.memory) {
        return " without anything to share; allowed: with share, sm, sm_groups, device_share or "
               "memory";
    }
    if (partition.mechanism == Mechanism::kMps && size_in_sms(partition) != nullptr) {
        return " beside mechanism \"mps\": an MPS percentage is each process's own; allowed: "
               "mechanism \"green\" or \"auto\", or memory without a number of SMs";
    }
    return {};
}

}  // namespace ration::policy
