#include <algorithm>

#include "shim/policy/amount.h"
#include "shim/policy/decide.h"
#include "shim/policy/glob.h"

namespace ration::policy {
namespace {

bool any_glob(const std::vector<std::string>& globs, const std::string& text) {
    return std::any_of(globs.begin(), globs.end(),
                       [&](const std::string& glob) { return glob_matches(glob, text); });
}

bool env_matches(const Match& match, const Subject& subject) {
    return std::all_of(match.env.begin(), match.env.end(), [&](const auto& condition) {
        const auto value = subject.env(condition.first);
        return value && any_glob(condition.second, *value);
    });
}

// Numbers first: a name may have to be asked of a directory server.
template <typename HasNumber, typename HasName>
bool identity_matches(const std::vector<std::string>& wanted, HasNumber has_number,
                      HasName has_name) {
    const auto numeric = [&](const std::string& entry) {
        const auto id = parse_unsigned(entry);
        return id && has_number(*id);
    };
    const auto named = [&](const std::string& entry) {
        return !parse_unsigned(entry) && has_name(entry);
    };
    return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), numeric) ||
           std::any_of(wanted.begin(), wanted.end(), named);
}

// By the account's own name, so that a policy of a hundred users costs one question, not a hundred.
bool user_matches(const Match& match, const Subject& subject, Names& names) {
    return identity_matches(
        match.user, [&](uid_t id) { return id == subject.uid(); },
        [&](const std::string& name) { return name == names.user_name(subject.uid()); });
}

// By number: a process may be in more groups than a policy names.
bool group_matches(const Match& match, const Subject& subject, Names& names) {
    const auto has = [&](gid_t id) {
        const std::vector<gid_t>& groups = subject.groups();
        return std::find(groups.begin(), groups.end(), id) != groups.end();
    };
    return identity_matches(match.group, has, [&](const std::string& name) {
        const auto id = names.group_number(name);
        return id && has(*id);
    });
}

}  // namespace

// In the order of cost: memory, a system call, a file of /proc, long texts, the user database.
bool matches(const Match& match, const Subject& subject, Names& names) {
    return env_matches(match, subject) &&
           (match.host.empty() || any_glob(match.host, subject.host())) &&
           (match.exe.empty() || any_glob(match.exe, subject.exe())) &&
           (match.cgroup.empty() || any_glob(match.cgroup, subject.cgroup())) &&
           (match.script.empty() || any_glob(match.script, subject.script())) &&
           (match.argv.empty() || any_glob(match.argv, subject.argv())) &&
           user_matches(match, subject, names) && group_matches(match, subject, names);
}

bool matches(const Match& match, const Subject& subject) {
    Names names;
    return matches(match, subject, names);
}

}  // namespace ration::policy
