// The type of each hook's function: Signature<Hook::cuInit>::Pointer.
#pragma once

// The header's internal switch: declares every version of an entry point under its exported name.
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>
#undef cuGetProcAddress_v2

#include "shim/amd/api.h"
#include "shim/preload/hooks.h"

namespace ration {

template <Hook hook>
struct Signature;

#define CUDA_HOOK(symbol, family)            \
    template <>                              \
    struct Signature<Hook::symbol> {         \
        using Pointer = decltype(&::symbol); \
    };
#define AMD_SIGNATURE(symbol)               \
    template <>                             \
    struct Signature<Hook::symbol> {        \
        using Pointer = amd::type::symbol*; \
    };
#define HIP_HOOK(symbol, family) AMD_SIGNATURE(symbol)
#define HSA_HOOK(symbol, family) AMD_SIGNATURE(symbol)
#define LIBC_HOOK(symbol, family) AMD_SIGNATURE(symbol)
#include "shim/preload/hooks.def"
#undef AMD_SIGNATURE

}  // namespace ration
