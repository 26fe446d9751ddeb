// TOML to policy. The only code that knows toml++ is behind this header.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shim/policy/diagnostic.h"
#include "shim/policy/policy.h"
#include "shim/policy/sources.h"

namespace ration::policy {

// A policy file's name and text. `site` marks files under /etc and /run, which alone may be locked
// and which nobody but root may be able to change.
struct Source {
    std::string file;
    std::string text;
    bool site = false;
    std::string weakness = "";  // of a site file: why others could change it; empty: they cannot
};

inline constexpr const char* kRootAlone =
    "allowed: site policies that belong to root and that only root can change (chown root:root, "
    "chmod go-w)";

struct Loaded {
    // Meaningful only if problems is empty; but `on_error` is always what the sources say, as far
    // as they can be read, and `locked` always says whether a site source locks, or may be meant
    // to.
    Policy policy;
    Diagnostics problems;  // every mistake of every source, in the order of the text
};

// Reads one policy from its sources: rules are appended in order, partitions and pools are merged
// (one name twice is a mistake), [defaults] may stand in one source only. Never throws.
Loaded read(const std::vector<Source>& sources);

// The policy that `ration run --share ... ` asks for: one partition for everything, called
// "partition.NAME" ("partition.run" without --name). Empty strings mean "not given". Problems name
// the option ("--share: ..."). Never throws.
struct Inline {
    std::string share, memory, device, mig, name, cu, cu_mask;
    std::string sm = "", sm_groups = "", device_share = "", mechanism = "", distribution = "",
                granularity = "", exclusive = "", wait = "", scope = "", report = "",
                own_contexts = "", priority = "", override_visible = "";
};
Loaded read_inline(const Inline& options);

// How the text of an option is written.
enum class InlineForm {
    kText,    // as the string in a policy: 25%
    kNumber,  // 32
    kSwitch,  // 1 for true; the option has no value
    kList,    // 0,2 for [0, 2]
    kTable,   // 0=25%,1=50% for { 0 = "25%", 1 = "50%" }
};

// The options of `ration run`, the keys of a partition that they are, and the variables by which
// they are passed on.
struct InlineFlag {
    const char* option;
    const char* key;  // nullptr: the partition's name
    const char* variable;
    std::string Inline::*value;
    InlineForm form;
    bool asks;  // is a policy by itself
};
inline constexpr InlineFlag kInlineFlags[] = {
    {"--share", "share", kShareVariable, &Inline::share, InlineForm::kText, true},
    {"--sm", "sm", kSmVariable, &Inline::sm, InlineForm::kNumber, true},
    {"--sm-groups", "sm_groups", kSmGroupsVariable, &Inline::sm_groups, InlineForm::kText, true},
    {"--device-share", "device_share", kDeviceShareVariable, &Inline::device_share,
     InlineForm::kTable, true},
    {"--cu", "cu", kCuVariable, &Inline::cu, InlineForm::kNumber, true},
    {"--cu-mask", "cu_mask", kCuMaskVariable, &Inline::cu_mask, InlineForm::kTable, true},
    {"--mig", "mig", kMigVariable, &Inline::mig, InlineForm::kText, true},
    {"--memory", "memory", kMemoryVariable, &Inline::memory, InlineForm::kText, true},
    {"--device", "device", kDeviceVariable, &Inline::device, InlineForm::kList, true},
    {"--mechanism", "mechanism", kMechanismVariable, &Inline::mechanism, InlineForm::kText, false},
    {"--distribution", "distribution", kDistributionVariable, &Inline::distribution,
     InlineForm::kText, false},
    {"--granularity", "granularity", kGranularityVariable, &Inline::granularity, InlineForm::kText,
     false},
    {"--exclusive", "exclusive", kExclusiveVariable, &Inline::exclusive, InlineForm::kSwitch,
     false},
    {"--wait", "wait", kWaitVariable, &Inline::wait, InlineForm::kText, false},
    {"--scope", "scope", kScopeVariable, &Inline::scope, InlineForm::kText, false},
    {"--report", "report", kReportVariable, &Inline::report, InlineForm::kText, false},
    {"--own-contexts", "own_contexts", kOwnContextsVariable, &Inline::own_contexts,
     InlineForm::kText, false},
    {"--priority", "priority", kPriorityVariable, &Inline::priority, InlineForm::kNumber, true},
    {"--override-visible", "override_visible", kOverrideVisibleVariable, &Inline::override_visible,
     InlineForm::kSwitch, false},
    {"--name", nullptr, kNameVariable, &Inline::name, InlineForm::kText, false},
};

}  // namespace ration::policy
