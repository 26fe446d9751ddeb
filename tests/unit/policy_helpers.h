// What the tests of policies share: a process made by hand, and short ways to read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shim/policy/decide.h"
#include "shim/policy/read.h"
#include "shim/policy/subject.h"

namespace ration::policy {

// A process that a test makes by hand. Counts what it was asked for.
struct FakeProcess final : Subject {
    std::string exe_text, script_text, argv_text, cgroup_text, host_text;
    std::map<std::string, std::string> variables;
    uid_t user = 1000;
    std::vector<gid_t> group_list{1000};
    mutable std::map<std::string, int> asked;

    const std::string& exe() const override { return answer("exe", exe_text); }
    const std::string& script() const override { return answer("script", script_text); }
    const std::string& argv() const override { return answer("argv", argv_text); }
    const std::string& cgroup() const override { return answer("cgroup", cgroup_text); }
    const std::string& host() const override { return answer("host", host_text); }
    uid_t uid() const override { return user; }
    const std::vector<gid_t>& groups() const override { return group_list; }
    std::optional<std::string> env(const std::string& name) const override {
        ++asked["env"];
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
    }

  private:
    const std::string& answer(const char* key, const std::string& text) const {
        ++asked[key];
        return text;
    }
};

inline Loaded read_text(const std::string& text) { return read({{"p.toml", text}}); }

inline std::vector<std::string> lines(const Diagnostics& problems) {
    std::vector<std::string> out;
    for (const Diagnostic& problem : problems) out.push_back(format(problem));
    return out;
}

}  // namespace ration::policy
