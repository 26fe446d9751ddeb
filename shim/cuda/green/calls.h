// The driver's functions that this room calls.
#pragma once

#include "shim/cuda/api.h"

namespace ration::cuda::green {

// As cuda::Driver: a test fills it by hand, in a process only shim/engine/driver_table.cpp does. A
// member is null where this driver has no such entry point.
struct Calls {
#define CALL(symbol) decltype(&::symbol) symbol = nullptr;
#include "shim/cuda/green/calls.def"
#undef CALL
};

}  // namespace ration::cuda::green
