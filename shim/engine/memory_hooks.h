// What a hooked call does where this process counts its own memory.
#pragma once

#include <type_traits>

#include "shim/cuda/api.h"
#include "shim/preload/hooks.h"

// Rows of other groups that the quota has to hear of: the ends of contexts.
#define RATION_ALSO_COUNTED(ROW)      \
    ROW(cuCtxDestroy)                 \
    ROW(cuCtxDestroy_v2)              \
    ROW(cuDevicePrimaryCtxRelease)    \
    ROW(cuDevicePrimaryCtxRelease_v2) \
    ROW(cuDevicePrimaryCtxReset)      \
    ROW(cuDevicePrimaryCtxReset_v2)

namespace ration {

// As struct hook is: a row without a definition does not link.
struct memory_hook {  // NOLINT(readability-identifier-naming): reads as a namespace
#define RATION_DECLARE(symbol) static std::remove_pointer_t<decltype(&::symbol)> symbol;
#define CUDA_HOOK(symbol, family)
#define CUDA_GREEN(symbol, family, ...)
#define CUDA_CURRENT(symbol, family)
#define CUDA_STREAM(symbol, family, ...)
#define CUDA_STREAM_MEMORY(symbol, family, ...) RATION_DECLARE(symbol)
#define CUDA_MEMORY(symbol, family, ...) RATION_DECLARE(symbol)
#include "shim/preload/hooks.def"
    RATION_ALSO_COUNTED(RATION_DECLARE)
#undef RATION_DECLARE
};

namespace engine {

// The function of `memory_hook` above; null for rows that the quota has nothing to do with.
void* memory_function(Hook row);

}  // namespace engine
}  // namespace ration
