// Who shares one grant, as a key: processes with the same key are of one scope.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace ration::state {

enum class Scope { kProcess, kSlot, kUser, kCgroup };

// The inodes of the namespaces that this process is in (namespaces(7)); 0: /proc does not say.
struct Namespaces {
    std::uint64_t user = 0;
    std::uint64_t cgroup = 0;
};
Namespaces this_namespaces();

// "slot:1000:pool.paper[2]", "user:1000", "cgroup:/system.slice/job7". Two users' processes never
// share a slot: the ranks of one's job say nothing of the other's. `slot` is whatever tells slots
// apart; `cgroup` is the path in /proc/self/cgroup.
//
// In a container with a user or a cgroup namespace of its own the same uid or path is somebody
// else's, so its inode is part of the key then ("cgroup@4026532500:/"): a container is a scope of
// its own and never joins one outside, nor another container's. "" for kProcess, which shares with
// nobody, and where the cgroup is not known.
std::string scope_key(Scope scope, std::string_view slot, uid_t uid, std::string_view cgroup,
                      const Namespaces& namespaces);

}  // namespace ration::state
