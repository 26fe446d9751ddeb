// Groups of SMs of NVIDIA GPUs: how the driver divides a device, and who holds which.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shim/cuda/green/layout.h"
#include "shim/policy/policy.h"
#include "shim/state/groups.h"
#include "tools/ration/output.h"

namespace ration::tool {

// "group", "fine"
const char* granularity_name(policy::SmGranularity granularity);

// The child's side of the driver probe: [{granularity, sizes, rest, problem}] of one device.
// `library` is libcuda.so.1, in which cuInit has succeeded.
Json describe_groups(void* library, int device, const std::string& uuid);

// One of these again; nullopt where the driver made none, or was not asked.
std::optional<cuda::green::Layout> layout_of(const Json& device, policy::SmGranularity granularity);

// Who holds what of the device, this process not counted; empty where nobody can be asked.
std::vector<state::Holder> holders_of(const std::string& uuid);

// [{pid, groups, exclusive, whole, percentage}]
Json to_json(const std::vector<state::Holder>& holders);

// "15 of 8 SMs, 12 SMs in none; fine: 66 of 2 SMs", or why there are none.
std::string groups_text(const Json& groups);

}  // namespace ration::tool
