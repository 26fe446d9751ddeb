// Fills the driver's table from what the front offers.
#pragma once

#include "shim/cuda/driver.h"
#include "shim/cuda/green/calls.h"
#include "shim/engine/boundary.h"

namespace ration::engine {

// The only place that turns addresses into typed functions.
cuda::Driver driver_table(const ration_front& front);

// What green contexts are made with, hooked or not.
cuda::green::Calls green_calls(const ration_front& front);

}  // namespace ration::engine
