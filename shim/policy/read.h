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
// "partition.NAME" ("partition.run" without --name). Empty strings mean "not given"; `device` is a
// list with commas. Problems name the option ("--share: ..."). Never throws.
struct Inline {
    std::string share, memory, device, mig, name, cu, cu_mask;
    // As in a policy; `exclusive` is "1".
    std::string sm = "", sm_groups = "", mechanism = "", granularity = "", exclusive = "",
                wait = "", scope = "";
};
Loaded read_inline(const Inline& options);

// The options of `ration run` and the variables by which it passes them on.
struct InlineFlag {
    const char* option;
    const char* variable;
    std::string Inline::*value;
    bool asks;  // is a policy by itself
};
inline constexpr InlineFlag kInlineFlags[] = {
    {"--share", kShareVariable, &Inline::share, true},
    {"--sm", kSmVariable, &Inline::sm, true},
    {"--sm-groups", kSmGroupsVariable, &Inline::sm_groups, true},
    {"--cu", kCuVariable, &Inline::cu, true},
    {"--cu-mask", kCuMaskVariable, &Inline::cu_mask, true},
    {"--memory", kMemoryVariable, &Inline::memory, true},
    {"--device", kDeviceVariable, &Inline::device, true},
    {"--mig", kMigVariable, &Inline::mig, true},
    {"--green", kMechanismVariable, &Inline::mechanism, false},
    {"--granularity", kGranularityVariable, &Inline::granularity, false},
    {"--exclusive", kExclusiveVariable, &Inline::exclusive, false},
    {"--wait", kWaitVariable, &Inline::wait, false},
    {"--scope", kScopeVariable, &Inline::scope, false},
    {"--name", kNameVariable, &Inline::name, false},
};

}  // namespace ration::policy
