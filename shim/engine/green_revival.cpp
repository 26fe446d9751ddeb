#include "shim/engine/green_revival.h"

#include <array>
#include <atomic>

#include "shim/cuda/green/homes.h"
#include "shim/cuda/real.h"
#include "shim/cuda/stream/thread.h"
#include "shim/engine/green_course.h"
#include "shim/engine/guarded.h"
#include "shim/engine/session.h"

namespace ration::engine {
namespace {

using cuda::real;
using cuda::green::Homes;

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

// What makes another context current, or uncovers one.
constexpr bool changes_current(Hook row) {
    switch (row) {
        case Hook::cuCtxCreate:
        case Hook::cuCtxCreate_v2:
        case Hook::cuCtxCreate_v3:
        case Hook::cuCtxCreate_v4:
        case Hook::cuCtxDestroy:
        case Hook::cuCtxDestroy_v2:
        case Hook::cuCtxPopCurrent:
        case Hook::cuCtxPopCurrent_v2:
        case Hook::cuCtxPushCurrent:
        case Hook::cuCtxPushCurrent_v2:
        case Hook::cuCtxSetCurrent:
            return true;
        default:
            return false;
    }
}

// Each thread looks again only after a home has ended, or after it has itself made another context
// current: the driver's cuCtxGetCurrent costs half as much as a launch.
bool is_seen_to_live() {
    const cuda::stream::Thread* const thread = cuda::stream::known_thread();
    return thread != nullptr && thread->seen_to_live == Homes::changes();
}

void forget_what_was_seen() {
    cuda::stream::Thread* const thread = cuda::stream::known_thread();
    if (thread != nullptr && is_listed(*thread)) thread->seen_to_live = 0;
}

// Noted before it looks: what interrupts it, or is called from within, may make another current.
[[gnu::cold, gnu::noinline]] void look() {
    cuda::stream::Thread& thread = cuda::stream::this_thread();
    if (is_listed(thread)) thread.seen_to_live = Homes::changes();
    if (!revive_current()) forget_what_was_seen();
}

template <Hook row, class Function = cuda::Entry<row>>
struct Reviving;

template <Hook row, class... A>
struct Reviving<row, CUresult (*)(A...)> {
    static cuda::Entry<row> next() {
        void* const usual = usual_functions[static_cast<unsigned>(row)].load();
        return usual != nullptr ? reinterpret_cast<cuda::Entry<row>>(usual) : real<row>();
    }

    // Something that is not hooked may have uncovered an ended home (cuCtxDetach): that costs one
    // call.
    static CUresult call(A... arguments) {
        if (!is_seen_to_live()) look();
        const CUresult result = next()(arguments...);
        if (result == CUDA_ERROR_CONTEXT_IS_DESTROYED) forget_what_was_seen();
        return result;
    }

    static CUresult change(A... arguments) {
        const CUresult result = next()(arguments...);
        forget_what_was_seen();
        return result;
    }
};

template <Hook row>
void* reviving() {
    if constexpr (changes_current(row)) return reinterpret_cast<void*>(&Reviving<row>::change);
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

bool revive_current() {
    GreenCourse* const course = GreenCourse::active();
    CUcontext now = nullptr;
    if (course == nullptr || real<Hook::cuCtxGetCurrent>()(&now) != CUDA_SUCCESS) return false;
    const int device = course->homes().device_of_absent(now);
    if (device < 0) return true;
    guarded([device](Session& session) { return session.revive(device); });
    return false;
}

void* reviving_function(Hook row, void* usual) {
    void* const function = function_of(row);
    if (function != nullptr) usual_functions[static_cast<unsigned>(row)] = usual;
    return function;
}

}  // namespace ration::engine
