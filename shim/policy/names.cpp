#include "shim/policy/names.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <vector>

namespace ration::policy {
namespace {

constexpr std::size_t kLargestRecord = std::size_t{1} << 20U;

// getpwuid_r or getgrnam_r with a buffer that grows. What `use` makes of the entry; a default if
// there is none.
template <typename Entry, typename Key, typename LookUp, typename Use>
auto look_up(Key key, LookUp function, Use use) -> decltype(use(Entry{})) {
    std::vector<char> buffer(1024);
    while (true) {
        Entry entry{};
        Entry* found = nullptr;
        const int error = function(key, &entry, buffer.data(), buffer.size(), &found);
        if (error == ERANGE && buffer.size() < kLargestRecord) {
            buffer.resize(buffer.size() * 4);
        } else if (error != EINTR) {
            return found == nullptr ? decltype(use(entry)){} : use(entry);
        }
    }
}

}  // namespace

const std::string& Names::user_name(uid_t uid) {
    const auto known = users_.find(uid);
    if (known != users_.end()) return known->second;
    auto name = look_up<passwd>(uid, getpwuid_r,
                                [](const passwd& entry) { return std::string(entry.pw_name); });
    return users_.emplace(uid, std::move(name)).first->second;
}

std::optional<gid_t> Names::group_number(const std::string& name) {
    const auto known = groups_.find(name);
    if (known != groups_.end()) return known->second;
    const auto number = look_up<group>(name.c_str(), getgrnam_r, [](const group& entry) {
        return std::optional<gid_t>(entry.gr_gid);
    });
    return groups_.emplace(name, number).first->second;
}

}  // namespace ration::policy
