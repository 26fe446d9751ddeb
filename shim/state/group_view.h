// What others hold of a device, read from its lock file (group_bytes.h).
#pragma once

#include <string>
#include <vector>

#include "shim/state/groups.h"
#include "shim/state/locks.h"

namespace ration::state {

// The groups whose bytes, from `base` on, others have locked.
GroupSet held_set(int fd, std::int64_t base);
// Locks the bytes of `groups`, from `base` on.
bool lock_set(int fd, std::int64_t base, const GroupSet& groups, short type);

std::vector<Holder> holders_in(int fd);
Load load_of(int fd);

// All holders, or those of exclusive groups, in words.
std::string holders_text(int fd, bool exclusive_only);
// "pid 4711 (python3, uid 1001)"
std::string process_text(pid_t pid);

}  // namespace ration::state
