#include "shim/engine/green_revival.h"

#include <array>
#include <atomic>

#include "shim/cuda/real.h"
#include "shim/engine/green_course.h"
#include "shim/engine/guarded.h"
#include "shim/engine/session.h"

namespace ration::engine {
namespace {

using cuda::real;

std::array<std::atomic<void*>, kHookCount> usual_functions;  // null: the driver's own

// What names no context and no stream works in the current one, and so do streams' calls in places.
// The course and what is below see to what is current by themselves.
constexpr bool works_in_current(Hook row) {
    switch (row) {
        case Hook::cuCtxGetCurrent:
        case Hook::cuCtxPopCurrent:
        case Hook::cuCtxPopCurrent_v2:
        case Hook::cuCtxDestroy:
        case Hook::cuCtxDestroy_v2:
        case Hook::cuCtxFromGreenCtx:
        case Hook::cuGreenCtxCreate:
        case Hook::cuGreenCtxDestroy:
        case Hook::cuDeviceGetAttribute:
        case Hook::cuDeviceGetDevResource:
        case Hook::cuDevicePrimaryCtxGetState:
        case Hook::cuDevicePrimaryCtxRelease:
        case Hook::cuDevicePrimaryCtxRelease_v2:
        case Hook::cuDevicePrimaryCtxReset:
        case Hook::cuDevicePrimaryCtxReset_v2:
            return false;
        default:
            return group_of(row) != Group::kCourse;
    }
}

template <Hook row, class Function = cuda::Entry<row>>
struct Reviving;

template <Hook row, class... A>
struct Reviving<row, CUresult (*)(A...)> {
    static CUresult call(A... arguments) {
        revive_current();
        void* const usual = usual_functions[static_cast<unsigned>(row)].load();
        const auto next =
            usual != nullptr ? reinterpret_cast<cuda::Entry<row>>(usual) : real<row>();
        return next(arguments...);
    }
};

template <Hook row>
void* reviving() {
    if constexpr (works_in_current(row)) return reinterpret_cast<void*>(&Reviving<row>::call);
    return nullptr;
}

void* function_of(Hook row) {
    switch (row) {
#define CUDA_HOOK(symbol, family) \
    case Hook::symbol:            \
        return reviving<Hook::symbol>();
#include "shim/preload/hooks.def"
        default:
            return nullptr;
    }
}

}  // namespace

void revive_current() {
    GreenCourse* const course = GreenCourse::active();
    CUcontext now = nullptr;
    if (course == nullptr || real<Hook::cuCtxGetCurrent>()(&now) != CUDA_SUCCESS) return;
    const int device = course->homes().device_of_absent(now);
    if (device < 0) return;
    guarded([device](Session& session) { return session.revive(device); });
}

void* reviving_function(Hook row, void* usual) {
    void* const function = function_of(row);
    if (function != nullptr) usual_functions[static_cast<unsigned>(row)] = usual;
    return function;
}

}  // namespace ration::engine
