// The engine's exported functions, one a vendor.
#include <stdio.h>
#include <unwind.h>

#include "shim/amd/api.h"
#include "shim/cuda/api.h"
#include "shim/engine/amd_session.h"
#include "shim/engine/boundary.h"
#include "shim/engine/errno_keeper.h"
#include "shim/engine/session.h"
#include "shim/preload/hooks.h"

namespace {

// With what a vendor's calls fail where there is no session to say it.
struct Codes {
    int other_version;
    int no_memory;
};

// A thread that is cancelled is unwound by the program's libgcc_s, and our frames by the libgcc in
// here. That knows the sizes of registers from the first time that it unwinds by itself, and aborts
// without them (libgcc, uw_init_context_1; seen with g++ 12).
void begin_unwinding() {
    _Unwind_Backtrace([](_Unwind_Context*, void*) { return _URC_END_OF_STACK; }, nullptr);
}

template <class Begin>
int attach(const ration_front& front, Codes codes, char* reason, uint32_t capacity, Begin begin) {
    const ration::engine::ErrnoKeeper keeper;
    if (front.abi != RATION_ENGINE_ABI || front.hook_count < ration::kHookCount) {
        snprintf(reason, capacity,
                 "libration.so (interface %u, %u hooks) and libration-engine.so (interface %u, %u "
                 "hooks) are of different versions: restart the job or reinstall ration",
                 front.abi, front.hook_count, RATION_ENGINE_ABI, ration::kHookCount);
        return codes.other_version;
    }
    begin_unwinding();
    try {
        begin();
    } catch (...) {
        snprintf(reason, capacity, "the engine ran out of memory while it decided: retry");
        return codes.no_memory;
    }
    return 0;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" int ration_engine_attach(const ration_front* front, char* reason, uint32_t capacity) {
    return attach(*front, {CUDA_ERROR_NOT_PERMITTED, CUDA_ERROR_OUT_OF_MEMORY}, reason, capacity,
                  [&] { ration::engine::Session::begin(*front); });
}

extern "C" int ration_engine_attach_amd(const ration_front* front, char* reason,
                                        uint32_t capacity) {
    return attach(*front, {ration::amd::kHipErrorNoDevice, ration::amd::kHipErrorOutOfMemory},
                  reason, capacity, [&] { ration::engine::AmdSession::begin(*front); });
}
#pragma GCC visibility pop
