// What is right in a policy, but not what somebody may take it for.
#pragma once

#include <string>
#include <vector>

#include "shim/policy/diagnostic.h"
#include "shim/policy/policy.h"

namespace ration::tool {

// Of one partition, or of a slot; for `explain` and `check`.
std::vector<std::string> remarks(const policy::Partition& partition);

// Of all that a policy defines, each with the place of its table.
policy::Diagnostics remarks(const policy::Policy& policy);

}  // namespace ration::tool
