// How a grant is told.
#pragma once

#include <string>

#include "shim/amd/plan.h"
#include "shim/state/record.h"

namespace ration::amd {

// "26 of 104 CUs (25.0 %)"; several devices: "... on each of 2 devices", or each one's.
std::string granted_text(const std::vector<DeviceLimit>& devices);

// Puts the grant into the record's fields.
void describe(const Plan& plan, state::Record& record);

}  // namespace ration::amd
