// Which rules were looked at on the way to the decision, and what kept the others from matching.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shim/policy/policy.h"
#include "shim/policy/subject.h"

namespace ration::tool {

struct RuleStep {
    const policy::Rule* rule = nullptr;
    bool matched = false;
    // Of the first key that did not match: its name ("exe", "env.LOCAL_RANK"), what the rule allows
    // and what the process has (nullopt: a variable that is not set). Empty if the rule matched.
    std::string key;
    std::vector<std::string> allowed;
    std::optional<std::string> found;
};

// The rules in their order, up to and including the first that matches.
std::vector<RuleStep> trace_rules(const policy::Policy& policy, const policy::Subject& subject);

}  // namespace ration::tool
