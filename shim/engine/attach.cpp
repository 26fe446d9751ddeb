// The engine's one exported function.
#include <stdio.h>

#include "shim/cuda/api.h"
#include "shim/engine/boundary.h"
#include "shim/engine/errno_keeper.h"
#include "shim/engine/session.h"
#include "shim/preload/hooks.h"

namespace {

bool same_version(const ration_front& front) {
    return front.abi == RATION_ENGINE_ABI && front.hook_count >= ration::kHookCount;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int ration_engine_attach(
    const ration_front* front, char* reason, uint32_t capacity) {
    const ration::engine::ErrnoKeeper keeper;
    if (!same_version(*front)) {
        snprintf(reason, capacity,
                 "libration.so and libration-engine.so are of different versions (%u and %u): "
                 "restart the job or reinstall ration",
                 front->abi, RATION_ENGINE_ABI);
        return CUDA_ERROR_NOT_PERMITTED;
    }
    try {
        ration::engine::Session::begin(*front);
    } catch (...) {
        snprintf(reason, capacity, "the engine ran out of memory while it decided: retry");
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    return CUDA_SUCCESS;
}
