// The driver as a table of typed functions.
#pragma once

#include "shim/cuda/api.h"

namespace ration::cuda {

// The real functions. The logic of this room and of the engine gets them as an argument, so that a
// test fills the table by hand; in a process only shim/engine/driver_table.cpp fills it. A member
// is null where this driver has no such entry point. Of hooks.def it has the course; for what is
// hooked under some plans only see real.h.
struct Driver {
#define CUDA_HOOK(symbol, family) decltype(&::symbol) symbol = nullptr;
#define CUDA_GREEN(symbol, family, ...)
#define CUDA_CURRENT(symbol, family)
#define CUDA_STREAM(symbol, family, ...)
#define CUDA_STREAM_MEMORY(symbol, family, ...)
#define CUDA_MEMORY(symbol, family, ...)
#include "shim/preload/hooks.def"
#define CALL(symbol) decltype(&::symbol) symbol = nullptr;
#include "shim/cuda/driver.def"
#undef CALL
};

}  // namespace ration::cuda
