// Any text is either a policy that decides, or mistakes that have a place and fit on one line.
#include <algorithm>
#include <string>

#include "shim/policy/decide.h"
#include "shim/policy/read.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace ration::policy;

struct Nobody final : Subject {
    std::string text = "x";
    std::vector<gid_t> list{1};
    const std::string& exe() const override { return text; }
    const std::string& script() const override { return text; }
    const std::string& argv() const override { return text; }
    const std::string& cgroup() const override { return text; }
    const std::string& host() const override { return text; }
    std::optional<std::string> env(const std::string& name) const override {
        return name == "RATION_RANK" ? std::optional<std::string>("0") : std::nullopt;
    }
    uid_t uid() const override { return 1; }
    const std::vector<gid_t>& groups() const override { return list; }
};

void check_problem(const Diagnostic& problem, std::size_t lines) {
    const std::string line = format(problem);
    require(!problem.text.empty(), "a mistake has a text");
    require(std::none_of(line.begin(), line.end(),
                         [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }),
            "a mistake is one line");
    require(problem.place.line <= lines, "a mistake lies within the text");
}

void check_partition(const Partition& partition) {
    const int sizes = int{partition.share.has_value()} + int{partition.sm.has_value()} +
                      int{partition.cu.has_value()} + int{partition.cu_mask.has_value()} +
                      int{partition.mig.has_value()};
    require(sizes <= 1, "a partition has one size");
    require(!partition.share || (*partition.share > 0 && *partition.share <= 100), "share range");
    require(!partition.sm || *partition.sm > 0, "sm range");
    require(!partition.cu || *partition.cu > 0, "cu range");
    require(!partition.cu_mask || !partition.cu_mask->empty(), "a mask has engines");
    require(!partition.priority || *partition.priority <= 1, "priority range");
}

void check_policy(const Policy& policy) {
    for (const auto& [name, partition] : policy.partitions) check_partition(partition);
    for (const auto& [name, pool] : policy.pools) {
        require(!pool.slots.empty(), "a pool has slots");
        for (const Partition& slot : pool.slots) check_partition(slot);
    }
    Policy first = policy;
    for (const Rule& rule : policy.rules) {
        first.rules = {rule};
        first.rules[0].match.user.clear();  // no directory look-ups
        first.rules[0].match.group.clear();
        require(decide(first, Nobody()).kind != Decision::Kind::kError, "a policy decides");
    }
    first.rules.clear();
    require(decide(first, Nobody()).kind != Decision::Kind::kError, "no_match decides");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    for (const bool site : {false, true}) {
        const Loaded loaded = read({{"fuzz", text, site, ""}});
        for (const Diagnostic& problem : loaded.problems) check_problem(problem, lines);
        if (loaded.problems.empty()) check_policy(loaded.policy);
        require(site || !loaded.policy.locked, "a user's file locks nothing");
    }
    const Loaded twice = read({{"a", text}, {"b", text}});
    for (const Diagnostic& problem : twice.problems) check_problem(problem, lines);
    return 0;
}
