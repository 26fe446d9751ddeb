#include <algorithm>

#include "shim/policy/amount.h"
#include "shim/policy/draft.h"

namespace ration::policy {
namespace {

struct Header {
    unsigned slots = 0;  // 0: not given, or wrong
    bool oversubscribe = false;
};

void read_assign(const std::string& key, const Value& value, Header& /*to*/, Report& report) {
    read_word(key, value, {"rank"}, report);
}

void read_slots(const std::string& key, const Value& value, Header& to, Report& report) {
    to.slots = read_integer(key, value, 1, kMaxSlots, report);
}

void read_oversubscribe(const std::string& key, const Value& value, Header& to, Report& report) {
    to.oversubscribe = read_boolean(key, value, report);
}

constexpr Key<Header> kKeys[] = {
    {"assign", read_assign},
    {"slots", read_slots},
    {"oversubscribe", read_oversubscribe},
};

std::string of_values(std::size_t count) {
    return std::to_string(count) + (count == 1 ? " value" : " values");
}

// The number of slots, from `slots` or the first list. Reports lists that differ from it.
std::size_t count_slots(const std::string& name, const Entry& pool, const Header& header,
                        const std::vector<const Entry*>& lists, Report& report) {
    if (header.slots == 0 && lists.empty()) {
        if (find_entry(pool.value, "slots") == nullptr) {
            report.add(pool.where, name +
                                       " has no number of slots; allowed: slots = N, or an "
                                       "array with one value for each slot");
        }
        return 0;
    }
    const bool given = header.slots != 0;
    const std::size_t expected = given ? header.slots : lists.front()->value.items.size();
    const std::string other = given ? "slots is " + std::to_string(expected)
                                    : lists.front()->key + " has " + of_values(expected);
    for (const Entry* list : lists) {
        const std::size_t size = list->value.items.size();
        if (size > kMaxSlots) {
            report.add(list->value.where, list->key + " has " + of_values(size) +
                                              "; allowed: at most " + std::to_string(kMaxSlots));
        } else if (size != expected) {
            report.add(list->value.where, list->key + " has " + of_values(size) + ", but " + other +
                                              "; allowed: one value for all slots, or an array "
                                              "with one for each slot");
        }
    }
    return std::min<std::size_t>(expected, kMaxSlots);
}

std::string device_key(const DeviceSelector& device) {
    std::string key = device.text;
    for (char& byte : key) {
        if (byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte + 'a' - 'A');
    }
    return key;
}

// What the slots take of each device, by the way the policy names it: two names of one device (an
// index and a UUID) cannot be told here. Slots that name no device use the same ones, all there
// are.
void check_admission(const Pool& pool, Position where, Report& report) {
    std::map<std::string, double> taken;
    for (const Partition& slot : pool.slots) {
        const double share = slot.share.value_or(0);
        if (slot.devices.empty()) taken[""] += share;
        for (std::size_t i = 0; i < slot.devices.size(); ++i) {
            const bool own = i < slot.device_share.size();
            taken[device_key(slot.devices[i])] += own ? slot.device_share[i] : share;
        }
    }
    for (const auto& [device, sum] : taken) {
        if (sum <= 100 + kRoundingError) continue;
        const std::string on = device.empty() ? "every device" : "device " + device;
        report.add(where, "the shares of " + pool.name + " on " + on + " add up to " +
                              decimal(sum) + "%; allowed: at most 100%, or oversubscribe = true");
    }
}

bool has_mask(const Partition& slot) { return slot.cu_mask.has_value(); }

bool share_cus(const Partition& one, const Partition& other) {
    return std::any_of(one.cu_mask->begin(), one.cu_mask->end(), [&](const auto& engine) {
        const auto found = other.cu_mask->find(engine.first);
        return found != other.cu_mask->end() && (found->second & engine.second) != 0;
    });
}

bool has_groups(const Partition& slot) { return !slot.sm_groups.empty(); }

bool share_groups(const Partition& one, const Partition& other) {
    return std::any_of(one.sm_groups.begin(), one.sm_groups.end(), [&](unsigned group) {
        return std::binary_search(other.sm_groups.begin(), other.sm_groups.end(), group);
    });
}

using Slots = std::vector<const Partition*>;

// A key that says which parts of a device a slot takes.
struct Parts {
    const char* noun;  // "masks"
    const char* what;  // "CUs"
    const char* each;  // "CU"
    bool (*has)(const Partition&);
    bool (*overlap)(const Partition&, const Partition&);
};

std::optional<std::pair<const Partition*, const Partition*>> first_common(const Slots& slots,
                                                                          const Parts& parts) {
    for (std::size_t later = 1; later < slots.size(); ++later) {
        for (std::size_t i = 0; i < later; ++i) {
            if (parts.overlap(*slots[i], *slots[later])) return std::pair(slots[i], slots[later]);
        }
    }
    return std::nullopt;
}

// Two slots on one device may not have such a part in common.
void check_overlap(const Pool& pool, const Parts& parts, Position where, Report& report) {
    std::map<std::string, Slots> by_device;
    for (const Partition& slot : pool.slots) {
        if (!parts.has(slot)) continue;
        if (slot.devices.empty()) by_device[""].push_back(&slot);
        for (const DeviceSelector& device : slot.devices) {
            by_device[device_key(device)].push_back(&slot);
        }
    }
    for (const auto& [device, slots] : by_device) {
        const auto common = first_common(slots, parts);
        if (!common) continue;
        const std::string on = device.empty() ? "every device" : "device " + device;
        return report.add(where, std::string("the ") + parts.noun + " of " + common->first->name +
                                     " and " + common->second->name + " on " + on + " have " +
                                     parts.what + " in common; allowed: each " + parts.each +
                                     " in one slot, or oversubscribe = true");
    }
}

class PoolReader {
  public:
    PoolReader(const std::string& name, const Entry& entry, Report& report)
        : entry_(entry), report_(report) {
        pool_.name = name;
        pool_.place = report.place(entry.where);
        base_.place = pool_.place;
    }

    Pool read() {
        const std::size_t before = report_.count();
        for (const Entry& entry : entry_.value.entries) read_key(entry);
        pool_.oversubscribe = header_.oversubscribe;
        pool_.slots.assign(count_slots(pool_.name, entry_, header_, lists_, report_), base_);
        for (std::size_t i = 0; i < pool_.slots.size(); ++i) {
            pool_.slots[i].name = pool_.name + '[' + std::to_string(i) + ']';
        }
        for (const Entry* list : lists_) spread(*list);
        if (report_.count() == before) {
            check_purpose(entry_.value, pool_.name, entry_.where, report_);
        }
        check();
        return std::move(pool_);
    }

  private:
    void read_key(const Entry& entry) {
        const Key<Partition>* key = find_partition_key(entry.key);
        if (const Key<Header>* own = find_key(kKeys, entry.key)) {
            own->read(entry.key, entry.value, header_, report_);
        } else if (key == nullptr) {
            std::vector<std::string> allowed = partition_key_names();
            add_names(kKeys, allowed);
            report_unknown_key(entry, '[' + pool_.name + ']', allowed, report_);
        } else if (entry.value.kind != Value::Kind::kArray) {
            key->read(entry.key, entry.value, base_, report_);
        } else if (entry.value.items.empty()) {
            report_.add(entry.value.where, entry.key +
                                               " is an empty array; allowed: one value for "
                                               "all slots, or an array with one for each");
        } else {
            lists_.push_back(&entry);
        }
    }

    // Gives each slot its item. Items beyond the last slot are read for their mistakes.
    void spread(const Entry& list) {
        Partition beyond;
        const Key<Partition>* key = find_partition_key(list.key);
        for (std::size_t i = 0; i < list.value.items.size(); ++i) {
            Partition& slot = i < pool_.slots.size() ? pool_.slots[i] : beyond;
            const Value& item = list.value.items[i];
            key->read(list.key, item, slot, report_);
        }
    }

    void check() {
        check_sizes(entry_.value, pool_.name, report_);
        for (std::size_t i = 0; i < pool_.slots.size(); ++i) {
            check_values(
                pool_.slots[i], pool_.name, [&](const char* key) { return place_of(key, i); },
                report_);
        }
        if (pool_.oversubscribe) return;
        if (const Entry* share = first_of("share", "device_share")) {
            check_admission(pool_, share->where, report_);
        }
        if (const Entry* mask = find_entry(entry_.value, "cu_mask")) {
            check_overlap(pool_, {"masks", "CUs", "CU", &has_mask, &share_cus}, mask->where,
                          report_);
        }
        if (const Entry* groups = find_entry(entry_.value, "sm_groups")) {
            check_overlap(pool_, {"groups", "groups", "group", &has_groups, &share_groups},
                          groups->where, report_);
        }
    }

    // Where the value of a key stands that holds for slot `i`.
    Position place_of(const char* key, std::size_t i) const {
        const Entry* entry = find_entry(entry_.value, key);
        if (entry == nullptr) return entry_.where;
        const Value& value = entry->value;
        return i < value.items.size() ? value.items[i].where : value.where;
    }

    const Entry* first_of(const char* one, const char* other) const {
        const Entry* entry = find_entry(entry_.value, one);
        return entry != nullptr ? entry : find_entry(entry_.value, other);
    }

    const Entry& entry_;
    Report& report_;
    Header header_;
    Partition base_;  // what holds for every slot
    std::vector<const Entry*> lists_;
    Pool pool_;
};

void read_pool(const std::string& name, const Entry& entry, Draft& draft, Report& report) {
    draft.policy.pools.emplace(name, PoolReader(name, entry, report).read());
}

}  // namespace

void read_pools(const std::string& key, const Value& value, Draft& draft, Report& report) {
    for_each_definition(key, value, draft, report, read_pool);
}

}  // namespace ration::policy
