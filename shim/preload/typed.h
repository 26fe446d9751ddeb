// The functions that stand in a slot when neither the driver nor the engine does. Their types come
// from cuda.h by way of hooks.def, so that arguments are passed on exactly as the driver gets them.
#pragma once

// The header's internal switch: declares every version of an entry point under its exported name.
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>
#undef cuGetProcAddress_v2

#include "shim/preload/front.h"

namespace ration::front {

template <Hook hook, class F>
struct Typed;

template <Hook hook, class... A>
struct Typed<hook, CUresult (*)(A...)> {
    using Function = CUresult (*)(A...);

    // Before the decision.
    static CUresult undecided(A... arguments) {
        decide();
        return reinterpret_cast<Function>(target(hook))(arguments...);
    }
    // A weak reference became true by our presence, but no driver is loaded.
    static CUresult no_driver(A...) { return CUDA_ERROR_NO_DEVICE; }
    // This driver is older than the entry point; a linked program would not have started.
    static CUresult not_in_driver(A...) { return CUDA_ERROR_NOT_SUPPORTED; }
    // The engine refused, or could not be loaded although there is a policy.
    static CUresult refused(A...);
};

// The code that `refused` answers.
CUresult refusal();

template <Hook hook, class... A>
CUresult Typed<hook, CUresult (*)(A...)>::refused(A...) {
    return refusal();
}

}  // namespace ration::front
