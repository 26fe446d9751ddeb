// ration check: every mistake of a policy.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "shim/policy/read.h"
#include "shim/policy/search.h"
#include "tools/ration/command.h"
#include "tools/ration/failure.h"
#include "tools/ration/output.h"
#include "tools/ration/remarks.h"
#include "tools/ration/share_options.h"

namespace ration::tool {
namespace {

struct Options {
    std::vector<std::string> files;
    bool each = false;
    bool site = false;
};

std::string read_standard_input() {
    std::string text;
    std::array<char, 65536> buffer{};
    for (ssize_t size = 0; (size = read(STDIN_FILENO, buffer.data(), buffer.size())) > 0;) {
        text.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return text;
}

// Files below the site's folders are read, and distrusted, as the library does it there.
policy::Standing standing_of(const std::string& file, bool site, policy::Diagnostics& problems) {
    std::error_code error;
    const std::string path = std::filesystem::canonical(file, error).string();
    if (!policy::is_site_file(path)) {
        return site ? policy::Standing::kSite : policy::Standing::kUser;
    }
    for (policy::Diagnostic& problem : policy::folder_problems(path)) {
        const auto same = [&](const policy::Diagnostic& other) {
            return other.place.file == problem.place.file;
        };
        if (std::none_of(problems.begin(), problems.end(), same)) {
            problems.push_back(std::move(problem));
        }
    }
    return policy::Standing::kPlace;
}

policy::Loaded load_files(const std::vector<std::string>& files, bool site) {
    std::vector<policy::Source> sources;
    policy::Diagnostics outside;  // what is wrong, but not with the text
    for (const std::string& file : files) {
        if (file == "-") {
            sources.push_back({"<stdin>", read_standard_input(), site, ""});
        } else if (auto source = policy::load(file, standing_of(file, site, outside), outside)) {
            sources.push_back(std::move(*source));
        }
    }
    policy::Loaded loaded = policy::read(sources);
    loaded.problems.insert(loaded.problems.begin(), outside.begin(), outside.end());
    return loaded;
}

Json to_json(const policy::Diagnostics& diagnostics) {
    Json list = Json::array();
    for (const policy::Diagnostic& each : diagnostics) {
        list.push_back({{"file", each.place.file},
                        {"line", each.place.line},
                        {"column", each.place.column},
                        {"text", each.text}});
    }
    return list;
}

Json to_json(const policy::Loaded& loaded, const policy::Diagnostics& passed_over) {
    return {
        {"problems", to_json(loaded.problems)},     {"passed_over", to_json(passed_over)},
        {"notes", to_json(remarks(loaded.policy))}, {"files", loaded.policy.files},
        {"rules", loaded.policy.rules.size()},      {"partitions", loaded.policy.partitions.size()},
        {"pools", loaded.policy.pools.size()}};
}

std::string count(std::size_t number, const std::string& noun) {
    return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

std::string summary(const policy::Loaded& loaded) {
    std::string text;
    for (const policy::Diagnostic& problem : loaded.problems) {
        text += policy::format(problem) + "\n";
    }
    if (!loaded.problems.empty()) {
        return text;
    }
    for (const policy::Diagnostic& each : remarks(loaded.policy)) {
        text +=
            format(each.place) + ": " + paint(Colour::kYellow, "note") + ": " + each.text + "\n";
    }
    std::string files;
    for (const std::string& file : loaded.policy.files) {
        files += (files.empty() ? "" : ", ") + file;
    }
    return text + fmt::format("{}: {}: {}, {}, {}\n", files, paint(Colour::kGreen, "ok"),
                              count(loaded.policy.rules.size(), "rule"),
                              count(loaded.policy.partitions.size(), "partition"),
                              count(loaded.policy.pools.size(), "pool"));
}

// The policies to check: one of all files together, or each of them, or the one that is in force,
// and then the places that do not count for it.
std::vector<policy::Loaded> load_all(const Options& options, policy::Diagnostics& passed_over) {
    if (options.files.empty()) {
        policy::Found found = policy::find(own_environment);
        passed_over = found.passed_over;
        for (const policy::Diagnostic& place : passed_over) {
            complain(policy::format(place));
        }
        if (found.kind == policy::Found::Kind::kDisabled) {
            throw Failure(kFailed, "RATION_DISABLE is set, so no policy is read; name a FILE");
        }
        if (found.kind == policy::Found::Kind::kNone && found.loaded.problems.empty()) {
            throw Failure(kFailed,
                          "no policy found (RATION_POLICY, ~/.config/ration/policy.toml, "
                          "/etc/ration/policy.toml); name a FILE");
        }
        return {std::move(found.loaded)};
    }
    if (!options.each) {
        return {load_files(options.files, options.site)};
    }
    std::vector<policy::Loaded> all;
    for (const std::string& file : options.files) {
        all.push_back(load_files({file}, options.site));
    }
    return all;
}

int check(const Options& options, const Invocation& invocation) {
    int code = kOk;
    Json json = Json::array();
    policy::Diagnostics passed_over;
    for (const policy::Loaded& loaded : load_all(options, passed_over)) {
        if (!loaded.problems.empty()) {
            code = kUsage;
        }
        if (invocation.json) {
            json.push_back(to_json(loaded, passed_over));
        } else {
            print(summary(loaded));
        }
    }
    if (invocation.json) {
        print_json(options.each ? json : json.front());
    }
    return code;
}

}  // namespace

Action add_check(CLI::App& app) {
    auto options = std::make_shared<Options>();
    app.add_option("FILE", options->files,
                   "Policy files, read as one policy in this order; - is standard input");
    app.add_flag("--each", options->each, "Check each FILE as a policy of its own");
    app.add_flag("--site", options->site,
                 "Check as a site's policy: `locked` is allowed, a world-writable file is not "
                 "(the default for files under /etc/ration and /run/ration/policy.d)");
    app.footer(
        "Without FILE, checks the policy that a program started here would follow.\n"
        "\n"
        "Examples:\n"
        "  ration check policy.toml\n"
        "  ration check --site --json policy.toml policy.d/*.toml\n"
        "\n"
        "Exit codes: 0 no mistakes, 1 no policy found, 2 mistakes.");
    return [options](const Invocation& invocation) { return check(*options, invocation); };
}

}  // namespace ration::tool
