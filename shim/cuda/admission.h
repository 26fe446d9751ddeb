// Whether a pool fits its devices, counted as the driver rounds.
#pragma once

#include <optional>
#include <vector>

#include "shim/cuda/grant.h"
#include "shim/cuda/plan.h"

namespace ration::cuda {

// Each slot gets at least the driver's minimum, so that slots which add up to 100 % may be granted
// more SMs than there are. A refusal names the numbers. Devices of unknown size are not counted.
std::optional<Refusal> admit(const Plan& plan, const std::vector<DeviceGrant>& devices);

}  // namespace ration::cuda
