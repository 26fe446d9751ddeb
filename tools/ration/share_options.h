// The options by which `run`, `env` and `explain` say what a program is to get.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shim/policy/search.h"

namespace CLI {
class App;
}

namespace ration::tool {

struct ShareOptions {
    std::string policy, use;
    policy::Inline flags;
};

// Adds --policy, --use and the flags of policy::kInlineFlags.
void add_share_options(CLI::App& app, ShareOptions& options);

// What the options do to the environment of the program.
struct Changes {
    std::vector<std::pair<std::string, std::string>> set;
    std::vector<std::string> unset;
};

// Throws Failure(kUsage) for options that contradict each other or that the policy reader refuses.
Changes changes_of(const ShareOptions& options);

// This process's environment after `changes`.
policy::Environment changed_environment(const Changes& changes);

// This process's environment, unchanged.
std::optional<std::string> own_environment(const std::string& name);

// Each mistake on a line of its own.
std::string lines(const policy::Diagnostics& problems);

// The policy that a program with this environment will find. Throws Failure(kUsage) with every
// mistake, one a line, if it has any.
policy::Found find_sound_policy(const policy::Environment& environment);

}  // namespace ration::tool
