#include "tools/ration/remarks.h"

#include <algorithm>

namespace ration::tool {
namespace {

void add(const policy::Partition& partition, const policy::Place& place, policy::Diagnostics& all) {
    for (std::string& text : remarks(partition)) {
        const bool known = std::any_of(all.begin(), all.end(), [&](const auto& other) {
            return other.place.file == place.file && other.place.line == place.line;
        });
        if (!known) {
            all.push_back({place, std::move(text)});
        }
    }
}

}  // namespace

std::vector<std::string> remarks(const policy::Partition& partition) {
    if (partition.report == policy::Reported::kStart) {
        return {};
    }
    const char* const word = partition.report == policy::Reported::kMax ? "max" : "min";
    return {std::string("report = \"") + word +
            "\" is the same number as \"start\": no grant changes while a program runs"};
}

policy::Diagnostics remarks(const policy::Policy& policy) {
    policy::Diagnostics all;
    for (const auto& [name, partition] : policy.partitions) {
        add(partition, partition.place, all);
    }
    for (const auto& [name, pool] : policy.pools) {
        for (const policy::Partition& slot : pool.slots) {
            add(slot, pool.place, all);
        }
    }
    return all;
}

}  // namespace ration::tool
