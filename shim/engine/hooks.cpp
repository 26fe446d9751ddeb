#include "shim/engine/hooks.h"

#include <vector>

#include "shim/cuda/affinity.h"
#include "shim/engine/guarded.h"
#include "shim/engine/session.h"

namespace ration {
namespace {

using cuda::Driver;
using engine::guarded;
using engine::Session;

// A call that makes a context: refused after all, it is destroyed again.
template <class Call>
CUresult create(CUcontext* context, Call call) {
    return guarded([&](Session& session) {
        const Driver& driver = session.driver();
        const CUresult result = session.context([&] { return call(session, driver); },
                                                [&] {
                                                    driver.cuCtxDestroy_v2(*context);
                                                    *context = nullptr;
                                                });
        if (result == CUDA_SUCCESS) session.context_made(*context);
        return result;
    });
}

template <class Call>
CUresult push(Call call) {
    return guarded([&](Session& session) {
        const Driver& driver = session.driver();
        return session.context([&] { return call(driver); },
                               [&] {
                                   CUcontext popped = nullptr;
                                   driver.cuCtxPopCurrent_v2(&popped);
                               });
    });
}

// Whether that many parameters may be read: more than there are types of is the driver's to refuse.
bool plausible(int count) { return count > 0 && count <= CU_EXEC_AFFINITY_TYPE_MAX; }

// The caller's parameters, if none is beyond the grant; the caller's memory is never written to.
std::vector<CUexecAffinityParam> permitted(Session& session, const CUexecAffinityParam* parameters,
                                           int count, CUdevice device) {
    const auto bound = session.bound(device);
    if (!bound) return {parameters, parameters + count};
    return cuda::within_grant(parameters, count, *bound);
}

}  // namespace

CUresult hook::cuInit(unsigned int flags) {
    return guarded([&](Session& session) { return session.init(flags); });
}

CUresult hook::cuCtxCreate(CUcontext* context, unsigned int flags, CUdevice device) {
    return create(context, [&](Session&, const Driver& driver) {
        return driver.cuCtxCreate(context, flags, device);
    });
}

CUresult hook::cuCtxCreate_v2(CUcontext* context, unsigned int flags, CUdevice device) {
    return create(context, [&](Session&, const Driver& driver) {
        return driver.cuCtxCreate_v2(context, flags, device);
    });
}

CUresult hook::cuCtxCreate_v3(CUcontext* context, CUexecAffinityParam* parameters, int count,
                              unsigned int flags, CUdevice device) {
    return create(context, [&](Session& session, const Driver& driver) {
        if (parameters == nullptr || !plausible(count)) {
            if (count > 0) session.check_again(device);
            return driver.cuCtxCreate_v3(context, parameters, count, flags, device);
        }
        auto kept = permitted(session, parameters, count, device);
        return driver.cuCtxCreate_v3(context, kept.empty() ? nullptr : kept.data(),
                                     static_cast<int>(kept.size()), flags, device);
    });
}

CUresult hook::cuCtxCreate_v4(CUcontext* context, CUctxCreateParams* parameters, unsigned int flags,
                              CUdevice device) {
    return create(context, [&](Session& session, const Driver& driver) {
        if (parameters == nullptr || parameters->execAffinityParams == nullptr ||
            !plausible(parameters->numExecAffinityParams)) {
            session.check_again(device);
            return driver.cuCtxCreate_v4(context, parameters, flags, device);
        }
        auto kept = permitted(session, parameters->execAffinityParams,
                              parameters->numExecAffinityParams, device);
        CUctxCreateParams copy = *parameters;
        copy.execAffinityParams = kept.empty() ? nullptr : kept.data();
        copy.numExecAffinityParams = static_cast<int>(kept.size());
        const bool nothing_left = kept.empty() && copy.cigParams == nullptr;
        return driver.cuCtxCreate_v4(context, nothing_left ? nullptr : &copy, flags, device);
    });
}

CUresult hook::cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
    return guarded([&](Session& session) {
        const Driver& driver = session.driver();
        return session.context([&] { return driver.cuDevicePrimaryCtxRetain(context, device); },
                               [&] {
                                   // Before CUDA 11 there is an older one, and no MPS to speak of.
                                   if (driver.cuDevicePrimaryCtxRelease_v2 != nullptr) {
                                       driver.cuDevicePrimaryCtxRelease_v2(device);
                                   }
                               });
    });
}

CUresult hook::cuCtxSetCurrent(CUcontext context) {
    return guarded([&](Session& session) {
        const Driver& driver = session.driver();
        CUcontext before = nullptr;
        return session.context(
            [&] {
                driver.cuCtxGetCurrent(&before);
                return driver.cuCtxSetCurrent(context);
            },
            [&] { driver.cuCtxSetCurrent(before); });
    });
}

CUresult hook::cuCtxPushCurrent(CUcontext context) {
    return push([&](const Driver& driver) { return driver.cuCtxPushCurrent(context); });
}

CUresult hook::cuCtxPushCurrent_v2(CUcontext context) {
    return push([&](const Driver& driver) { return driver.cuCtxPushCurrent_v2(context); });
}

void* engine::hook_function(Hook row) {
    switch (row) {
#define CUDA_HOOK(symbol, family) \
    case Hook::symbol:            \
        return reinterpret_cast<void*>(&hook::symbol);
#define CUDA_GREEN(symbol, family, ...)
#define CUDA_CURRENT(symbol, family)
#define CUDA_STREAM(symbol, family, ...)
#define CUDA_STREAM_MEMORY(symbol, family, ...)
#define CUDA_MEMORY(symbol, family, ...)
#include "shim/preload/hooks.def"
        default:
            break;
    }
    return nullptr;
}

}  // namespace ration
