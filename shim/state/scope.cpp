#include "shim/state/scope.h"

#include <sys/stat.h>

namespace ration::state {
namespace {

// include/linux/proc_ns.h: PROC_USER_INIT_INO, PROC_CGROUP_INIT_INO
constexpr std::uint64_t kFirstUser = 0xEFFFFFFD;
constexpr std::uint64_t kFirstCgroup = 0xEFFFFFFB;

std::uint64_t inode_of(const char* path) {
    struct stat info;
    return stat(path, &info) == 0 ? info.st_ino : 0;
}

std::string suffix(std::uint64_t own, std::uint64_t first) {
    return own == first ? "" : "@" + std::to_string(own);
}

}  // namespace

Namespaces this_namespaces() {
    return {inode_of("/proc/self/ns/user"), inode_of("/proc/self/ns/cgroup")};
}

std::string scope_key(Scope scope, std::string_view slot, uid_t uid, std::string_view cgroup,
                      const Namespaces& namespaces) {
    const std::string user = std::to_string(uid) + suffix(namespaces.user, kFirstUser);
    switch (scope) {
        case Scope::kProcess:
            break;
        case Scope::kSlot:
            return "slot:" + user + ":" + std::string(slot);
        case Scope::kUser:
            return "user:" + user;
        case Scope::kCgroup:
            if (cgroup.empty()) break;
            return "cgroup" + suffix(namespaces.cgroup, kFirstCgroup) + ":" + std::string(cgroup);
    }
    return "";
}

}  // namespace ration::state
