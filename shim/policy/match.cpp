#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "shim/policy/amount.h"
#include "shim/policy/decide.h"
#include "shim/policy/glob.h"

namespace ration::policy {
namespace {

constexpr std::size_t kLargestRecord = std::size_t{1} << 20U;

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

// getpwnam_r or getgrnam_r with a buffer that grows. The number of `name`; nullopt if there is
// none.
template <typename Entry, typename LookUp>
std::optional<unsigned> number_of(const std::string& name, LookUp look_up,
                                  unsigned Entry::*number) {
    std::vector<char> buffer(1024);
    while (true) {
        Entry entry{};
        Entry* found = nullptr;
        const int error = look_up(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
        if (error == ERANGE && buffer.size() < kLargestRecord) {
            buffer.resize(buffer.size() * 4);
        } else if (error != EINTR) {
            return found == nullptr ? std::nullopt : std::optional<unsigned>(entry.*number);
        }
    }
}

// Numbers first: a name may have to be asked of a directory server.
template <typename Has, typename NumberOf>
bool identity_matches(const std::vector<std::string>& wanted, Has has, NumberOf number) {
    const auto numeric = [&](const std::string& entry) {
        const auto id = parse_unsigned(entry);
        return id && has(*id);
    };
    const auto named = [&](const std::string& entry) {
        if (parse_unsigned(entry)) return false;
        const auto id = number(entry);
        return id && has(*id);
    };
    return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), numeric) ||
           std::any_of(wanted.begin(), wanted.end(), named);
}

bool user_matches(const Match& match, const Subject& subject) {
    return identity_matches(
        match.user, [&](uid_t id) { return id == subject.uid(); },
        [](const std::string& name) { return number_of(name, getpwnam_r, &passwd::pw_uid); });
}

bool group_matches(const Match& match, const Subject& subject) {
    const auto has = [&](gid_t id) {
        const std::vector<gid_t>& groups = subject.groups();
        return std::find(groups.begin(), groups.end(), id) != groups.end();
    };
    return identity_matches(match.group, has, [](const std::string& name) {
        return number_of(name, getgrnam_r, &group::gr_gid);
    });
}

}  // namespace

// In the order of cost: memory, a system call, a file of /proc, long texts, the user database.
bool matches(const Match& match, const Subject& subject) {
    return env_matches(match, subject) &&
           (match.host.empty() || any_glob(match.host, subject.host())) &&
           (match.exe.empty() || any_glob(match.exe, subject.exe())) &&
           (match.cgroup.empty() || any_glob(match.cgroup, subject.cgroup())) &&
           (match.script.empty() || any_glob(match.script, subject.script())) &&
           (match.argv.empty() || any_glob(match.argv, subject.argv())) &&
           user_matches(match, subject) && group_matches(match, subject);
}

}  // namespace ration::policy
