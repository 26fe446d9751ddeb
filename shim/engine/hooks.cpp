#include "shim/engine/hooks.h"

#include "shim/engine/errno_keeper.h"
#include "shim/engine/session.h"

namespace ration {
namespace {

using engine::Session;

// A hooked call: `call` is the driver's function with the caller's arguments. Nothing is thrown
// into the program, which may not be C++ at all.
template <class Logic>
CUresult guarded(Logic logic) {
    const engine::ErrnoKeeper keeper;
    try {
        return logic(Session::current());
    } catch (...) {
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
}

template <class Call>
CUresult context_call(Call call) {
    return guarded(
        [&](Session& session) { return session.context([&] { return call(session.driver()); }); });
}

}  // namespace

CUresult hook::cuInit(unsigned int flags) {
    return guarded([&](Session& session) { return session.init(flags); });
}

CUresult hook::cuCtxCreate(CUcontext* context, unsigned int flags, CUdevice device) {
    return context_call(
        [&](const cuda::Driver& driver) { return driver.cuCtxCreate(context, flags, device); });
}

CUresult hook::cuCtxCreate_v2(CUcontext* context, unsigned int flags, CUdevice device) {
    return context_call(
        [&](const cuda::Driver& driver) { return driver.cuCtxCreate_v2(context, flags, device); });
}

CUresult hook::cuCtxCreate_v3(CUcontext* context, CUexecAffinityParam* parameters, int count,
                              unsigned int flags, CUdevice device) {
    return context_call([&](const cuda::Driver& driver) {
        return driver.cuCtxCreate_v3(context, parameters, count, flags, device);
    });
}

CUresult hook::cuCtxCreate_v4(CUcontext* context, CUctxCreateParams* parameters, unsigned int flags,
                              CUdevice device) {
    return context_call([&](const cuda::Driver& driver) {
        return driver.cuCtxCreate_v4(context, parameters, flags, device);
    });
}

CUresult hook::cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
    return context_call([&](const cuda::Driver& driver) {
        return driver.cuDevicePrimaryCtxRetain(context, device);
    });
}

CUresult hook::cuCtxSetCurrent(CUcontext context) {
    return context_call(
        [&](const cuda::Driver& driver) { return driver.cuCtxSetCurrent(context); });
}

CUresult hook::cuCtxPushCurrent(CUcontext context) {
    return context_call(
        [&](const cuda::Driver& driver) { return driver.cuCtxPushCurrent(context); });
}

CUresult hook::cuCtxPushCurrent_v2(CUcontext context) {
    return context_call(
        [&](const cuda::Driver& driver) { return driver.cuCtxPushCurrent_v2(context); });
}

void* engine::hook_function(Hook row) {
    switch (row) {
#define HOOK(symbol, family) \
    case Hook::symbol:       \
        return reinterpret_cast<void*>(&hook::symbol);
#define FRONT(symbol, family)
#include "shim/preload/hooks.def"
#undef HOOK
#undef FRONT
    }
    return nullptr;
}

}  // namespace ration
