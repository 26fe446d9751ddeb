// The driver as the ledger sees it.
#pragma once

#include "shim/cuda/api.h"

namespace ration::cuda::quota {

// A member is null where this driver has no such entry point.
struct Calls {
#define CALL(symbol) decltype(&::symbol) symbol = nullptr;
#include "shim/cuda/quota/calls.def"
#undef CALL
};

}  // namespace ration::cuda::quota
