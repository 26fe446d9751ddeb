// What a hooked call of the course does: one function for each CUDA_HOOK row of
// shim/preload/hooks.def.
#pragma once

#include <type_traits>

#include "shim/cuda/api.h"
#include "shim/preload/hooks.h"

namespace ration {

// Static members and not free functions: a definition whose signature differs from cuda.h's does
// not compile, and a row without a definition does not link.
struct hook {  // NOLINT(readability-identifier-naming): reads as a namespace
#define CUDA_HOOK(symbol, family) static std::remove_pointer_t<decltype(&::symbol)> symbol;
#define CUDA_GREEN(symbol, family, ...)
#define CUDA_CURRENT(symbol, family)
#define CUDA_STREAM(symbol, family, ...)
#define CUDA_STREAM_MEMORY(symbol, family, ...)
#define CUDA_MEMORY(symbol, family, ...)
#include "shim/preload/hooks.def"
};

namespace engine {

// The function of `hook` above, as the front's route() takes it; null for rows of other groups.
void* hook_function(Hook row);

}  // namespace engine
}  // namespace ration
