#include "tools/ration/share_options.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "shim/policy/amount.h"
#include "shim/policy/read.h"
#include "shim/policy/span.h"
#include "tools/ration/failure.h"
#include "tools/ration/output.h"

namespace ration::tool {
namespace {

// One flag that an outer `ration run` and this one both give.
struct Both {
    const char* option;
    const char* variable;
    std::string outer, given;

    std::string text() const {
        return fmt::format("{}={} is in the environment, from an outer `ration run`, beside {} {}",
                           variable, outer, option, given);
    }
    [[noreturn]] void fail(const std::string& advice) const {
        throw Failure(kUsage, text() + ": " + advice);
    }
    template <typename T>
    T outer_value(policy::Reading<T> reading) const {
        if (!reading.value) {
            throw Failure(kUsage, fmt::format("{} in the environment: {}; unset it", variable,
                                              reading.error));
        }
        return std::move(*reading.value);
    }
};

std::string smaller_share(const Both& both) {
    const double outer = both.outer_value(policy::parse_share(both.outer));
    return *policy::parse_share(both.given).value <= outer ? both.given : both.outer;
}

std::string common_cus(const Both& both) {
    const policy::EngineMasks outer = both.outer_value(policy::parse_cu_mask(both.outer));
    const policy::EngineMasks given = *policy::parse_cu_mask(both.given).value;
    std::string common;
    for (const auto& [engine, bits] : given) {
        const auto found = outer.find(engine);
        const std::uint64_t left = found == outer.end() ? 0 : found->second & bits;
        if (left != 0) {
            common += fmt::format("{}{}={:#04x}", common.empty() ? "" : ",", engine, left);
        }
    }
    if (common.empty()) {
        both.fail("no CU is in both; name some of the outer ones");
    }
    return common;
}

std::string smaller_memory(const Both& both) {
    const auto outer = both.outer_value(policy::parse_memory(both.outer)).amount;
    const auto given = policy::parse_memory(both.given).value->amount;
    if (outer.index() != given.index()) {
        both.fail("give both as a size or both as a percentage, so that the smaller one holds");
    }
    return given <= outer ? both.given : both.outer;
}

std::vector<std::string> items_of(const std::string& list) {
    std::vector<std::string> items;
    for (std::size_t begin = 0; begin <= list.size();) {
        const auto end = std::min(list.find(',', begin), list.size());
        items.push_back(list.substr(begin, end - begin));
        begin = end + 1;
    }
    return items;
}

// Compared as written: which index is which UUID is not known before the driver is asked, and a
// device too few is no more than was given.
std::string common_devices(const Both& both) {
    const std::vector<std::string> outer = items_of(both.outer);
    std::string common;
    for (const std::string& item : items_of(both.given)) {
        if (std::find(outer.begin(), outer.end(), item) != outer.end()) {
            common += (common.empty() ? "" : ",") + item;
        }
    }
    if (common.empty()) {
        both.fail("no device is in both; name some of the outer ones, written as they are there");
    }
    return common;
}

// "0=25%,1=50%" as pairs; the text was checked, or is what an outer `ration run` has checked.
std::vector<std::pair<std::string, std::string>> shares_of(const std::string& list) {
    std::vector<std::pair<std::string, std::string>> shares;
    for (const std::string& item : items_of(list)) {
        const std::size_t equals = std::min(item.find('='), item.size());
        shares.emplace_back(item.substr(0, equals), item.substr(std::min(equals + 1, item.size())));
    }
    return shares;
}

// Of each device that both name, as common_devices.
std::string smaller_shares(const Both& both) {
    const auto outer = shares_of(both.outer);
    std::string common;
    for (const auto& [device, share] : shares_of(both.given)) {
        const auto found = std::find_if(outer.begin(), outer.end(),
                                        [&](const auto& each) { return each.first == device; });
        if (found == outer.end()) continue;
        const Both one{both.option, both.variable, found->second, share};
        common += (common.empty() ? "" : ",") + device + "=" + smaller_share(one);
    }
    if (common.empty()) {
        both.fail("no device is in both; name some of the outer ones, written as they are there");
    }
    return common;
}

std::string same_mig(const Both& both) {
    if (both.outer != both.given) {
        both.fail("a share within a share stays on its MIG instance");
    }
    return both.given;
}

unsigned outer_number(const Both& both) {
    const auto outer = policy::parse_unsigned(both.outer);
    if (!outer) {
        throw Failure(kUsage, both.text() + ": that is no number; unset it");
    }
    return *outer;
}

std::string smaller_number(const Both& both) {
    return *policy::parse_unsigned(both.given) <= outer_number(both) ? both.given : both.outer;
}

// 1 is below 0.
std::string lower_priority(const Both& both) {
    return *policy::parse_unsigned(both.given) >= outer_number(both) ? both.given : both.outer;
}

std::string common_groups(const Both& both) {
    const auto outer = both.outer_value(policy::parse_groups(both.outer));
    const auto given = *policy::parse_groups(both.given).value;
    std::vector<unsigned> common;
    for (const unsigned group : given) {
        if (std::binary_search(outer.begin(), outer.end(), group)) {
            common.push_back(group);
        }
    }
    if (common.empty()) {
        both.fail("no group is in both; name some of the outer ones");
    }
    return policy::groups_text(common);
}

// Who shares a grant, and of which groups the numbers are, cannot be narrowed.
std::string the_same(const Both& both) {
    if (both.outer != both.given) {
        both.fail("a share within a share keeps the outer one");
    }
    return both.given;
}

// What is no size of anything: of the inner and the outer one, the inner's.
std::string inner(const Both& both) { return both.given; }

// What an option is called in --help, and what holds where an outer `ration run` has given it too:
// a share within a share only narrows.
using Narrow = std::string (*)(const Both&);
struct Row {
    std::string policy::Inline::*flag;
    const char* type;  // words separated by "|" are all there are; nullptr: it takes no value
    const char* help;
    Narrow narrow;
};
constexpr Row kRows[] = {
    {&policy::Inline::share, "PERCENT", "Share of each device's SMs or CUs: 25% or 1/3",
     smaller_share},
    {&policy::Inline::sm, "N", "Number of SMs of each NVIDIA device", smaller_number},
    {&policy::Inline::sm_groups, "LIST", "Groups of SMs of each NVIDIA device: 0-3,7",
     common_groups},
    {&policy::Inline::device_share, "LIST", "A share of each of these devices: 0=25%,1=50%",
     smaller_shares},
    {&policy::Inline::cu, "N", "Number of CUs of each AMD device", smaller_number},
    {&policy::Inline::cu_mask, "MASK", "CUs of each AMD device by shader engine: 0=0x0f,1=0x7f",
     common_cus},
    {&policy::Inline::mig, "UUID", "MIG instance", same_mig},
    {&policy::Inline::memory, "SIZE", "Memory on each device: 2GiB, 500MB or 25%", smaller_memory},
    {&policy::Inline::device, "LIST",
     "Devices, comma separated: indices in PCI order, UUIDs, PCI addresses, visible:N",
     common_devices},
    {&policy::Inline::mechanism, "auto|mps|mig|green|cu-mask", "How the share is kept", the_same},
    {&policy::Inline::distribution, "even|engines",
     "Which CUs: as many of each shader engine, or whole engines", the_same},
    {&policy::Inline::granularity, "group|fine",
     "fine: groups of fewer SMs, without large clusters and NCCL", the_same},
    {&policy::Inline::exclusive, nullptr, "Groups of SMs that no other share on the device holds",
     inner},
    {&policy::Inline::wait, "TIME", "How long to wait for them: 30s, 5min or 2h", inner},
    {&policy::Inline::scope, "process|slot|user|cgroup", "Whose processes share the grant",
     the_same},
    {&policy::Inline::report, "start|max|min", "Which number of SMs the program is told", inner},
    {&policy::Inline::own_contexts, "refuse|primary",
     "What becomes of a context that the program makes and nothing can confine", inner},
    {&policy::Inline::priority, "0|1", "1: below normal, among the clients of an MPS daemon",
     lower_priority},
    {&policy::Inline::override_visible, nullptr,
     "The devices may lie outside the list that the program was given", inner},
    {&policy::Inline::name, "NAME", "What `ration ps` calls this share", inner},
};
static_assert(std::size(kRows) == std::size(policy::kInlineFlags));

const Row& row_of(const policy::InlineFlag& flag) {
    return *std::find_if(std::begin(kRows), std::end(kRows),
                         [&](const Row& row) { return row.flag == flag.value; });
}

bool any(const policy::Inline& given) {
    return std::any_of(
        std::begin(policy::kInlineFlags), std::end(policy::kInlineFlags),
        [&](const policy::InlineFlag& flag) { return !(given.*flag.value).empty(); });
}

std::string outer_value(const policy::InlineFlag& flag) {
    return own_environment(flag.variable).value_or("");
}

// Beside what was given, what else counts of it.
void refuse_mistakes(const policy::Inline& merged, const policy::Inline& given) {
    const policy::Diagnostics problems = policy::read_inline(merged).problems;
    if (problems.empty()) {
        return;
    }
    std::string outer;
    for (const policy::InlineFlag& flag : policy::kInlineFlags) {
        if ((given.*flag.value).empty() && !outer_value(flag).empty()) {
            outer +=
                fmt::format("{}{}={}", outer.empty() ? "" : ", ", flag.variable, outer_value(flag));
        }
    }
    throw Failure(kUsage,
                  lines(problems) + (outer.empty() ? "" : "; in the environment: " + outer));
}

// The flags together with those of an outer `ration run`, which are in the environment.
policy::Inline merged_inline(const policy::Inline& given) {
    policy::Inline merged = given;
    for (const policy::InlineFlag& flag : policy::kInlineFlags) {
        if ((given.*flag.value).empty()) {
            merged.*flag.value = outer_value(flag);
        }
    }
    refuse_mistakes(merged, given);  // before any of it is compared
    for (const policy::InlineFlag& flag : policy::kInlineFlags) {
        const Both both{flag.option, flag.variable, outer_value(flag), given.*flag.value};
        if (both.outer.empty() || both.given.empty()) {
            continue;
        }
        merged.*flag.value = row_of(flag).narrow(both);
        if (merged.*flag.value != both.given) {
            complain(both.text() + ": " + merged.*flag.value + " holds");
        }
    }
    refuse_mistakes(merged, given);
    return merged;
}

// A share within a share only narrows, and what a policy will give cannot be told from here.
void refuse_to_leave_outer_flags() {
    for (const policy::InlineFlag& flag : policy::kInlineFlags) {
        const std::string outer = outer_value(flag);
        if (flag.asks && !outer.empty()) {
            throw Failure(kUsage, fmt::format("{}={} is in the environment, from an outer `ration "
                                              "run`, and --policy could widen it: leave --policy "
                                              "out, or unset {}",
                                              flag.variable, outer, flag.variable));
        }
    }
}

}  // namespace

void add_share_options(CLI::App& app, ShareOptions& options) {
    // An empty value is a shell variable that was not set, and must not mean "the whole GPU".
    const auto add = [&app](const char* option, std::string& value, const char* type,
                            const char* help) {
        app.add_option(option, value, help)->type_name(type)->check([](const std::string& text) {
            return text.empty() ? std::string("must not be empty") : std::string();
        });
    };
    add("--policy", options.policy, "FILE", "Policy file to follow");
    for (const policy::InlineFlag& flag : policy::kInlineFlags) {
        const Row& row = row_of(flag);
        std::string& value = options.flags.*flag.value;
        if (row.type != nullptr) {
            add(flag.option, value, row.type, row.help);
        } else {
            app.add_flag_callback(
                flag.option, [&value] { value = "1"; }, row.help);
        }
    }
    std::string& mechanism = options.flags.mechanism;
    app.add_flag_callback(
        "--green",
        [&mechanism] {
            if (!mechanism.empty() && mechanism != "green") {
                throw CLI::ExcludesError("--green", "--mechanism");
            }
            mechanism = "green";
        },
        "The same as --mechanism green");
    add("--use", options.use, "PARTITION",
        "What to take of that which the policy's may_use offers");
}

std::string lines(const policy::Diagnostics& problems) {
    std::string text;
    for (const policy::Diagnostic& problem : problems) {
        text += (text.empty() ? "" : "\n") + policy::format(problem);
    }
    return text;
}

std::optional<std::string> own_environment(const std::string& name) {
    const char* value = getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

Changes changes_of(const ShareOptions& options) {
    Changes changes;
    const bool flagged = any(options.flags);
    if (!options.policy.empty()) {
        if (flagged) {
            throw Failure(kUsage,
                          "--policy and flags such as --share exclude each other: write the share "
                          "into the policy, or leave the policy out");
        }
        refuse_to_leave_outer_flags();
        // Absolute, because the program may change its directory before its first GPU call.
        std::error_code error;
        const auto path = std::filesystem::absolute(options.policy, error);
        changes.set.emplace_back("RATION_POLICY", error ? options.policy : path.string());
        for (const policy::InlineFlag& flag : policy::kInlineFlags) {
            changes.unset.emplace_back(flag.variable);
        }
    }
    if (flagged) {
        const policy::Inline merged = merged_inline(options.flags);
        for (const policy::InlineFlag& flag : policy::kInlineFlags) {
            if (!(options.flags.*flag.value).empty()) {
                changes.set.emplace_back(flag.variable, merged.*flag.value);
            }
        }
    }
    if (!options.use.empty()) {
        changes.set.emplace_back("RATION_USE", options.use);
    }
    return changes;
}

policy::Environment changed_environment(const Changes& changes) {
    return [changes](const std::string& name) -> std::optional<std::string> {
        for (const auto& [variable, value] : changes.set) {
            if (variable == name) {
                return value;
            }
        }
        if (std::find(changes.unset.begin(), changes.unset.end(), name) != changes.unset.end()) {
            return std::nullopt;
        }
        return own_environment(name);
    };
}

policy::Found find_sound_policy(const policy::Environment& environment) {
    policy::Found found = policy::find(environment);
    if (!found.loaded.problems.empty()) {
        throw Failure(kUsage, lines(found.loaded.problems));
    }
    return found;
}

}  // namespace ration::tool
