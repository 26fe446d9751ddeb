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

// At most `budget` questions are asked, two or three for each process.
std::vector<Holder> holders_in(int fd, unsigned budget);
// Of about a hundred processes, where there are more: enough to spread the next ones.
Load load_of(int fd);

// One holder of each group, or of each exclusive one, in words; no more than a few.
std::string holders_text(int fd, bool exclusive_only);
// "pid 4711 (python3, uid 1001)"
std::string process_text(pid_t pid);

}  // namespace ration::state
