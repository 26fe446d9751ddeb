// The driver's own functions, as the layer calls them.
#pragma once

#include "shim/cuda/api.h"

namespace ration::cuda::stream {

// Null where this driver has no such entry point. A member for each row of streams.def, and what
// the layer calls on its own account.
struct Real {
#define CUDA_STREAM(symbol, family, kind) decltype(&::symbol) symbol = nullptr;
#include "shim/cuda/stream/streams.def"
#define CALL(symbol) decltype(&::symbol) symbol = nullptr;
#include "shim/cuda/stream/calls.def"
#undef CALL
};

// Filled by begin() before any of the layer's functions is called; a process has one driver.
inline Real real;

}  // namespace ration::cuda::stream
