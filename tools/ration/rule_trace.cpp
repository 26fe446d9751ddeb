#include "tools/ration/rule_trace.h"

#include <array>

#include "shim/policy/decide.h"
#include "tools/ration/runtime.h"

namespace ration::tool {
namespace {

using Patterns = std::vector<std::string>;

std::string group_list(const policy::Subject& subject) {
    std::string text;
    for (const gid_t group : subject.groups()) {
        text += (text.empty() ? "" : ", ") + std::to_string(group);
    }
    return text;
}

// The keys of a rule but env, with what the process has for each.
struct Key {
    const char* name;
    Patterns policy::Match::*patterns;
    std::string (*found)(const policy::Subject&);
};
const std::array<Key, 7> kKeys{{
    {"exe", &policy::Match::exe, [](const policy::Subject& s) { return s.exe(); }},
    {"script", &policy::Match::script, [](const policy::Subject& s) { return s.script(); }},
    {"argv", &policy::Match::argv, [](const policy::Subject& s) { return s.argv(); }},
    {"user", &policy::Match::user,
     [](const policy::Subject& s) {
         return user_name(s.uid()) + " (" + std::to_string(s.uid()) + ")";
     }},
    {"group", &policy::Match::group, group_list},
    {"cgroup", &policy::Match::cgroup, [](const policy::Subject& s) { return s.cgroup(); }},
    {"host", &policy::Match::host, [](const policy::Subject& s) { return s.host(); }},
}};

// Asks the policy itself about one key at a time, so that nothing here knows how a key matches.
RuleStep first_failure(const policy::Rule& rule, const policy::Subject& subject) {
    for (const Key& key : kKeys) {
        policy::Match one;
        one.*key.patterns = rule.match.*key.patterns;
        if (!policy::matches(one, subject)) {
            return {&rule, false, key.name, one.*key.patterns, key.found(subject)};
        }
    }
    for (const auto& entry : rule.match.env) {
        policy::Match one;
        one.env.push_back(entry);
        if (!policy::matches(one, subject)) {
            return {&rule, false, "env." + entry.first, entry.second, subject.env(entry.first)};
        }
    }
    return {&rule, true, "", {}, {}};
}

}  // namespace

std::vector<RuleStep> trace_rules(const policy::Policy& policy, const policy::Subject& subject) {
    std::vector<RuleStep> steps;
    for (const policy::Rule& rule : policy.rules) {
        steps.push_back(first_failure(rule, subject));
        if (steps.back().matched) {
            break;
        }
    }
    return steps;
}

}  // namespace ration::tool
