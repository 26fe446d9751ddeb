// What this process agrees on with others of the node by lock files: where these lie, and by which
// key those know each other that share a grant.
#pragma once

#include <string>

#include "shim/policy/policy.h"
#include "shim/state/lock_file.h"

namespace ration::engine {

// By RATION_RUNTIME_DIR as it is now; made if it is not there.
state::LockPlace lock_place();

// The key of this process's scope. Empty for a scope of one process, and where the cgroup of a
// scope of cgroups is not known. `slot`: the partition's name. `cgroup`: of a scope of cgroups.
std::string scope_key(policy::Scope scope, const std::string& slot, const std::string& cgroup);

}  // namespace ration::engine
