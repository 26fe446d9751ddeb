// Contexts and devices as the program knows them: it names and is told its primary contexts, and
// their homes are what the driver works in.
#include "shim/engine/green_hooks.h"

#include "shim/cuda/real.h"
#include "shim/engine/green_course.h"
#include "shim/engine/green_revival.h"
#include "shim/engine/guarded.h"
#include "shim/engine/hooks.h"
#include "shim/engine/session.h"

namespace ration {
namespace {

using cuda::real;
using cuda::green::Residence;
using engine::GreenCourse;
using engine::guarded;
using engine::Session;

CUcontext current_context() {
    CUcontext context = nullptr;
    real<Hook::cuCtxGetCurrent>()(&context);
    return context;
}

// The device whose home is, or was, current in this thread; -1: none.
int device_of_current(GreenCourse& course) {
    return course.homes().device_of_home(current_context());
}

// What the driver has written where the program is to read it.
CUresult tell(CUresult result, CUcontext* context) {
    GreenCourse* const course = GreenCourse::active();
    if (course == nullptr || result != CUDA_SUCCESS || context == nullptr) return result;
    *context = course->homes().told(*context);
    return result;
}

}  // namespace

CUcontext engine::inhabited(CUcontext told) {
    GreenCourse* const course = GreenCourse::active();
    if (course == nullptr) return told;
    CUcontext const found = course->homes().real(told);
    if (found != told) return found;
    const int device = course->homes().device_of_primary(told);
    if (device < 0) return told;
    guarded([device](Session& session) { return session.need_home(device); });
    return course->homes().real(told);
}

CUresult green_hook::cuCtxSetCurrent(CUcontext context) {
    GreenCourse* const course = GreenCourse::active();
    if (course != nullptr) {
        CUcontext const home = course->homes().real(context);
        if (home != context || context == nullptr || course->homes().is_other(context)) {
            return real<Hook::cuCtxSetCurrent>()(home);
        }
    }
    return guarded([&](Session& session) {
        CUcontext before = nullptr;
        const auto back = [&] { session.driver().cuCtxSetCurrent(before); };
        const CUresult result = session.context(
            [&] {
                session.driver().cuCtxGetCurrent(&before);
                return session.driver().cuCtxSetCurrent(context);
            },
            back);
        return result == CUDA_SUCCESS ? session.enter_home(context, back) : result;
    });
}

namespace {

template <Hook hook>
CUresult push(CUcontext context) {
    GreenCourse* const course = GreenCourse::active();
    if (course != nullptr) {
        CUcontext const home = course->homes().real(context);
        if (home != context || course->homes().is_other(context)) return real<hook>()(home);
    }
    return guarded([&](Session& session) {
        const auto back = [&] {
            CUcontext popped = nullptr;
            session.driver().cuCtxPopCurrent_v2(&popped);
        };
        const CUresult result = session.context([&] { return real<hook>()(context); }, back);
        return result == CUDA_SUCCESS ? session.enter_home(context, back) : result;
    });
}

}  // namespace

CUresult green_hook::cuCtxPushCurrent(CUcontext context) {
    return push<Hook::cuCtxPushCurrent>(context);
}

CUresult green_hook::cuCtxPushCurrent_v2(CUcontext context) {
    return push<Hook::cuCtxPushCurrent_v2>(context);
}

CUresult green_hook::cuCtxPopCurrent(CUcontext* context) {
    return tell(real<Hook::cuCtxPopCurrent>()(context), context);
}

CUresult green_hook::cuCtxPopCurrent_v2(CUcontext* context) {
    return tell(real<Hook::cuCtxPopCurrent_v2>()(context), context);
}

CUresult green_hook::cuCtxGetCurrent(CUcontext* context) {
    const CUresult result = real<Hook::cuCtxGetCurrent>()(context);
    GreenCourse* const course = GreenCourse::active();
    if (course == nullptr || result != CUDA_SUCCESS || context == nullptr) return result;
    CUcontext const now = *context;
    *context = course->homes().told(now);
    if (course->homes().device_of_absent(now) >= 0) engine::revive_current();
    return result;
}

CUresult green_hook::cuCtxGetId(CUcontext context, unsigned long long* id) {
    GreenCourse* const course = GreenCourse::active();
    if (context == nullptr && course != nullptr) {
        CUcontext const now = current_context();
        CUcontext const told = course->homes().told(now);
        if (told != now) context = told;
    }
    return real<Hook::cuCtxGetId>()(context, id);
}

// A green context has none (201, measured). The primary has the whole device's, or an MPS client's.
CUresult green_hook::cuCtxGetExecAffinity(CUexecAffinityParam* affinity, CUexecAffinityType type) {
    const auto ask = real<Hook::cuCtxGetExecAffinity>();
    GreenCourse* const course = GreenCourse::active();
    const int device = course == nullptr ? -1 : device_of_current(*course);
    Residence* const here = device < 0 ? nullptr : course->residence(device);
    if (here == nullptr) return ask(affinity, type);
    CUcontext popped = nullptr;
    CUresult result = real<Hook::cuCtxPushCurrent_v2>()(here->primary());
    if (result != CUDA_SUCCESS) return result;
    result = ask(affinity, type);
    real<Hook::cuCtxPopCurrent_v2>()(&popped);
    if (result == CUDA_SUCCESS && type == CU_EXEC_AFFINITY_TYPE_SM_COUNT) {
        affinity->param.smCount.val = here->sms();
    }
    return result;
}

CUresult green_hook::cuCtxGetDevResource(CUcontext context, CUdevResource* resource,
                                         CUdevResourceType type) {
    const CUresult result = real<Hook::cuCtxGetDevResource>()(context, resource, type);
    if (result != CUDA_SUCCESS) return result;
    CUcontext const home = engine::inhabited(context);
    return home == context ? result : real<Hook::cuCtxGetDevResource>()(home, resource, type);
}

// What the program may divide among green contexts of its own: its part, and never the device.
CUresult green_hook::cuDeviceGetDevResource(CUdevice device, CUdevResource* resource,
                                            CUdevResourceType type) {
    const CUresult result = real<Hook::cuDeviceGetDevResource>()(device, resource, type);
    GreenCourse* const course = GreenCourse::active();
    if (result != CUDA_SUCCESS || course == nullptr || type != CU_DEV_RESOURCE_TYPE_SM) {
        return result;
    }
    Residence* const here = course->residence(device);
    if (here == nullptr) return result;
    const CUresult needed =
        guarded([device](Session& session) { return session.need_home(device); });
    if (needed != CUDA_SUCCESS) return needed;
    return real<Hook::cuCtxGetDevResource>()(here->home(), resource, type);
}

CUresult green_hook::cuDeviceGetAttribute(int* value, CUdevice_attribute attribute,
                                          CUdevice device) {
    const CUresult result = real<Hook::cuDeviceGetAttribute>()(value, attribute, device);
    if (attribute != CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT || result != CUDA_SUCCESS) {
        return result;
    }
    GreenCourse* const course = GreenCourse::active();
    const Residence* const here = course == nullptr ? nullptr : course->residence(device);
    if (here != nullptr) *value = static_cast<int>(here->sms());
    return result;
}

// The home's own, which also sees captures there; and of the program's green contexts, which the
// primary context waits for, and a green one does not (both measured).
CUresult green_hook::cuCtxSynchronize() {
    const CUresult result = real<Hook::cuCtxSynchronize>()();
    GreenCourse* const course = GreenCourse::active();
    if (result != CUDA_SUCCESS || course == nullptr) return result;
    const int device = device_of_current(*course);
    Residence* const here = device < 0 ? nullptr : course->residence(device);
    if (here == nullptr || here->greens() == 0) return result;
    CUcontext popped = nullptr;
    CUresult all = real<Hook::cuCtxPushCurrent_v2>()(here->primary());
    if (all != CUDA_SUCCESS) return all;
    all = real<Hook::cuCtxSynchronize>()();
    real<Hook::cuCtxPopCurrent_v2>()(&popped);
    return all;
}

CUresult green_hook::cuCtxSynchronize_v2(CUcontext context) {
    if (context == nullptr) return cuCtxSynchronize();
    const auto synchronise = real<Hook::cuCtxSynchronize_v2>();
    GreenCourse* const course = GreenCourse::active();
    CUcontext const home = course == nullptr ? context : course->homes().real(context);
    const CUresult result = synchronise(home);
    if (home == context || result != CUDA_SUCCESS) return result;
    const Residence* const here = course->residence(course->homes().device_of_primary(context));
    return here != nullptr && here->greens() != 0 ? synchronise(context) : result;
}

namespace {

// Of an event of the whole context: the primary context covers the program's green contexts too.
CUcontext covering(CUcontext context) {
    GreenCourse* const course = GreenCourse::active();
    if (course == nullptr) return context;
    CUcontext const home = course->homes().real(context);
    if (home == context) return context;
    const Residence* const here = course->residence(course->homes().device_of_primary(context));
    return here != nullptr && here->greens() != 0 ? context : home;
}

}  // namespace

CUresult green_hook::cuCtxRecordEvent(CUcontext context, CUevent event) {
    return real<Hook::cuCtxRecordEvent>()(covering(context), event);
}

CUresult green_hook::cuCtxWaitEvent(CUcontext context, CUevent event) {
    return real<Hook::cuCtxWaitEvent>()(covering(context), event);
}

CUresult green_hook::cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
    bool nested = true;
    // Before the driver is asked: whether anything is to be counted. A refusal is told below.
    guarded([&](Session& session) {
        nested = session.nested();
        return nested ? CUDA_SUCCESS : session.ready();
    });
    GreenCourse* const course = GreenCourse::active();
    Residence* const here = course == nullptr ? nullptr : course->residence(device);
    if (here == nullptr) return hook::cuDevicePrimaryCtxRetain(context, device);
    const CUresult result = here->retain(&hook::cuDevicePrimaryCtxRetain, context, nested);
    if (result != CUDA_SUCCESS) return result;
    Session::keep_groups();
    Session::revive_from_now_on();
    engine::revive_current();
    return result;
}

namespace {

CUresult release(CUdevice device, CUresult (*real_release)(CUdevice)) {
    GreenCourse* const course = GreenCourse::active();
    Residence* const here = course == nullptr ? nullptr : course->residence(device);
    if (here == nullptr) return real_release(device);
    return guarded([&](Session& session) {
        return session.apart([&](bool nested) { return here->release(real_release, nested); });
    });
}

CUresult reset(CUdevice device, CUresult (*real_reset)(CUdevice)) {
    GreenCourse* const course = GreenCourse::active();
    Residence* const here = course == nullptr ? nullptr : course->residence(device);
    if (here == nullptr) return real_reset(device);
    return guarded([&](Session& session) {
        return session.apart([&](bool nested) { return here->reset(real_reset, nested); });
    });
}

}  // namespace

CUresult green_hook::cuDevicePrimaryCtxRelease(CUdevice device) {
    return release(device, real<Hook::cuDevicePrimaryCtxRelease>());
}

CUresult green_hook::cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    return release(device, real<Hook::cuDevicePrimaryCtxRelease_v2>());
}

CUresult green_hook::cuDevicePrimaryCtxReset(CUdevice device) {
    return reset(device, real<Hook::cuDevicePrimaryCtxReset>());
}

CUresult green_hook::cuDevicePrimaryCtxReset_v2(CUdevice device) {
    return reset(device, real<Hook::cuDevicePrimaryCtxReset_v2>());
}

CUresult green_hook::cuDevicePrimaryCtxGetState(CUdevice device, unsigned int* flags, int* active) {
    const CUresult result = real<Hook::cuDevicePrimaryCtxGetState>()(device, flags, active);
    GreenCourse* const course = GreenCourse::active();
    if (result != CUDA_SUCCESS || active == nullptr || course == nullptr) return result;
    const Residence* const here = course->residence(device);
    if (here != nullptr && !here->active()) *active = 0;
    return result;
}

CUresult green_hook::cuGreenCtxCreate(CUgreenCtx* green, CUdevResourceDesc description,
                                      CUdevice device, unsigned int flags) {
    const CUresult result = real<Hook::cuGreenCtxCreate>()(green, description, device, flags);
    GreenCourse* const course = GreenCourse::active();
    if (result != CUDA_SUCCESS || course == nullptr) return result;
    return guarded([&](Session& session) {
        session.apart([&](bool) {
            course->own_green_made(*green, device);
            return CUDA_SUCCESS;
        });
        Session::revive_from_now_on();
        return result;
    });
}

CUresult green_hook::cuGreenCtxDestroy(CUgreenCtx green) {
    GreenCourse* const course = GreenCourse::active();
    CUcontext context = nullptr;
    if (course != nullptr && real<Hook::cuCtxFromGreenCtx>()(&context, green) == CUDA_SUCCESS) {
        course->homes().forget_other(context);
    }
    const CUresult result = real<Hook::cuGreenCtxDestroy>()(green);
    if (result != CUDA_SUCCESS || course == nullptr) return result;
    return guarded([&](Session& session) {
        session.apart([&](bool nested) {
            course->own_green_ended(green, nested);
            return CUDA_SUCCESS;
        });
        return result;
    });
}

CUresult green_hook::cuCtxFromGreenCtx(CUcontext* context, CUgreenCtx green) {
    const CUresult result = real<Hook::cuCtxFromGreenCtx>()(context, green);
    GreenCourse* const course = GreenCourse::active();
    if (result != CUDA_SUCCESS || course == nullptr) return result;
    course->homes().forget_ended(*context);
    course->homes().know_other(*context);
    return result;
}

void* engine::green_hook_function(Hook row) {
    switch (row) {
#define CUDA_GREEN(symbol, family, ...) \
    case Hook::symbol:                  \
        return reinterpret_cast<void*>(&green_hook::symbol);
#define CUDA_HOOK(symbol, family)
#define CUDA_CURRENT(symbol, family)
#define CUDA_STREAM(symbol, family, ...)
#define CUDA_STREAM_MEMORY(symbol, family, ...)
#define CUDA_MEMORY(symbol, family, ...)
#include "shim/preload/hooks.def"
#define ROW(symbol)    \
    case Hook::symbol: \
        return reinterpret_cast<void*>(&green_hook::symbol);
        RATION_GREEN_COURSE(ROW)
#undef ROW
        default:
            break;
    }
    return nullptr;
}

}  // namespace ration
