#include "tools/ration/share_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "shim/policy/read.h"
#include "tools/ration/failure.h"

namespace ration::tool {
namespace {

// One row for each option that names a part of the inline policy.
struct Flag {
    const char* option;
    const char* variable;
    std::string ShareOptions::*value;
    std::string policy::Inline::*field;
};
const std::vector<Flag>& flags() {
    static const std::vector<Flag> rows{
        {"--share", policy::kShareVariable, &ShareOptions::share, &policy::Inline::share},
        {"--memory", policy::kMemoryVariable, &ShareOptions::memory, &policy::Inline::memory},
        {"--device", policy::kDeviceVariable, &ShareOptions::device, &policy::Inline::device},
        {"--mig", policy::kMigVariable, &ShareOptions::mig, &policy::Inline::mig},
        {"--name", policy::kNameVariable, &ShareOptions::name, &policy::Inline::name},
    };
    return rows;
}

// Flags add to those of an outer `ration run`, which are in the environment.
policy::Inline merged_inline(const ShareOptions& options) {
    policy::Inline merged;
    for (const Flag& flag : flags()) {
        const std::string& given = options.*flag.value;
        merged.*flag.field = given.empty() ? own_environment(flag.variable).value_or("") : given;
    }
    return merged;
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
    add("--share", options.share, "PERCENT", "Share of each device's multiprocessors: 25% or 1/3");
    add("--memory", options.memory, "SIZE", "Memory on each device: 2GiB, 500MB or 25%");
    add("--device", options.device, "LIST",
        "Devices, comma separated: indices as nvidia-smi lists them, UUIDs, PCI addresses, "
        "visible:N");
    add("--mig", options.mig, "UUID", "MIG instance");
    add("--name", options.name, "NAME", "What `ration ps` calls this share");
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
    const bool flagged = std::any_of(flags().begin(), flags().end(), [&](const Flag& flag) {
        return !(options.*flag.value).empty();
    });
    if (!options.policy.empty()) {
        if (flagged) {
            throw Failure(kUsage,
                          "--policy and flags such as --share exclude each other: write the share "
                          "into the policy, or leave the policy out");
        }
        // Absolute, because the program may change its directory before its first GPU call.
        std::error_code error;
        const auto path = std::filesystem::absolute(options.policy, error);
        changes.set.emplace_back("RATION_POLICY", error ? options.policy : path.string());
        for (const Flag& flag : flags()) {
            changes.unset.emplace_back(flag.variable);
        }
    }
    if (flagged) {
        const policy::Loaded loaded = policy::read_inline(merged_inline(options));
        if (!loaded.problems.empty()) {
            throw Failure(kUsage, lines(loaded.problems));
        }
        for (const Flag& flag : flags()) {
            if (!(options.*flag.value).empty()) {
                changes.set.emplace_back(flag.variable, options.*flag.value);
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
