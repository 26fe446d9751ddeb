// What a hooked call does in a process that is confined by green contexts: one function for each
// CUDA_GREEN row of shim/preload/hooks.def, and others than hooks.h has for some of the course.
#pragma once

#include <type_traits>

#include "shim/cuda/api.h"
#include "shim/preload/hooks.h"

namespace ration {

// Static members, as in hooks.h: their types are cuda.h's.
struct green_hook {  // NOLINT(readability-identifier-naming): reads as a namespace
#define CUDA_GREEN(symbol, family, ...) static std::remove_pointer_t<decltype(&::symbol)> symbol;
#define CUDA_HOOK(symbol, family)
#define CUDA_CURRENT(symbol, family)
#define CUDA_STREAM(symbol, family, ...)
#define CUDA_STREAM_MEMORY(symbol, family, ...)
#define CUDA_MEMORY(symbol, family, ...)
#include "shim/preload/hooks.def"

#define RATION_GREEN_COURSE(ROW)  \
    ROW(cuCtxCreate)              \
    ROW(cuCtxCreate_v2)           \
    ROW(cuCtxCreate_v3)           \
    ROW(cuCtxCreate_v4)           \
    ROW(cuDevicePrimaryCtxRetain) \
    ROW(cuCtxSetCurrent)          \
    ROW(cuCtxPushCurrent)         \
    ROW(cuCtxPushCurrent_v2)
#define ROW(symbol) static std::remove_pointer_t<decltype(&::symbol)> symbol;
    RATION_GREEN_COURSE(ROW)
#undef ROW
};

namespace engine {

// A context as the driver is to be given it: the home of a primary context, which is made if there
// is none. Where it cannot be had, the program's own handle, whose use the driver then judges.
CUcontext inhabited(CUcontext told);

// The function of `green_hook` above, as the front's route() takes it; null: there is none.
void* green_hook_function(Hook row);

}  // namespace engine
}  // namespace ration
