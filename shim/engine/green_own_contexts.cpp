// Contexts that the program makes itself. A green context derives from a primary one only: a
// context of cuCtxCreate has as many SMs as the grant, but not the same ones, where MPS bounds it,
// and all of the device's otherwise.
#include <vector>

#include "shim/cuda/affinity.h"
#include "shim/cuda/real.h"
#include "shim/engine/green_course.h"
#include "shim/engine/green_hooks.h"
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

constexpr const char* kRefused =
    "a context of the program's own (cuCtxCreate) cannot be kept within groups of SMs without MPS: "
    "have it use the primary context, start a daemon with `ration mps ensure`, ask for mechanism = "
    "\"mps\", or set own_contexts = \"primary\", which hands it the primary context instead";

// The program's affinities that stay within the grant, and the grant's own where there is none.
std::vector<CUexecAffinityParam> within(const CUexecAffinityParam* given, int count,
                                        unsigned granted) {
    std::vector<CUexecAffinityParam> kept;
    if (given != nullptr && count > 0 && count <= CU_EXEC_AFFINITY_TYPE_MAX) {
        kept = cuda::within_grant(given, count, granted);
    }
    if (kept.empty()) {
        CUexecAffinityParam own{};
        own.type = CU_EXEC_AFFINITY_TYPE_SM_COUNT;
        own.param.smCount.val = granted;
        kept.push_back(own);
    }
    return kept;
}

// Counted, not disjoint; read back.
CUresult checked(Session& session, CUresult result, CUcontext* context, const Residence& here) {
    if (result != CUDA_SUCCESS) return result;
    CUexecAffinityParam affinity{};
    const CUresult asked =
        real<Hook::cuCtxGetExecAffinity>()(&affinity, CU_EXEC_AFFINITY_TYPE_SM_COUNT);
    if (asked == CUDA_SUCCESS && affinity.param.smCount.val <= here.sms()) return CUDA_SUCCESS;
    const CUresult code = session.refuse_call(
        {CUDA_ERROR_NOT_PERMITTED, "the driver gives a context of the program's own " +
                                       std::to_string(affinity.param.smCount.val) +
                                       " SMs, but the grant is " + std::to_string(here.sms()) +
                                       ": run `ration doctor`"});
    if (code == CUDA_SUCCESS) return code;
    session.driver().cuCtxDestroy_v2(*context);
    *context = nullptr;
    return code;
}

CUresult lend_primary(CUcontext* context, CUdevice device) {
    CUcontext primary = nullptr;
    CUresult result = green_hook::cuDevicePrimaryCtxRetain(&primary, device);
    if (result != CUDA_SUCCESS) return result;
    result = green_hook::cuCtxPushCurrent_v2(primary);
    if (result != CUDA_SUCCESS) {
        green_hook::cuDevicePrimaryCtxRelease_v2(device);
        return result;
    }
    if (GreenCourse* const course = GreenCourse::active()) course->lend(device);
    *context = primary;
    return CUDA_SUCCESS;
}

struct Asked {
    const CUexecAffinityParam* affinities = nullptr;
    int count = 0;
};

// `plain` makes the context as the program asked; `confined` with these affinities instead.
template <class Plain, class Confined>
CUresult create(CUcontext* context, CUdevice device, const Asked& asked, Plain plain,
                Confined confined) {
    return guarded([&](Session& session) {
        if (session.nested()) return plain();
        if (const CUresult code = session.ready()) return code;
        GreenCourse* const course = GreenCourse::active();
        Residence* const here = course == nullptr ? nullptr : course->residence(device);
        if (here == nullptr || context == nullptr) return plain();
        CUresult result = CUDA_SUCCESS;
        if (course->plan().served) {
            auto kept = within(asked.affinities, asked.count, here->sms());
            result = checked(session, confined(kept.data(), static_cast<int>(kept.size())), context,
                             *here);
        } else if (course->plan().own_contexts == policy::OwnContexts::kPrimary) {
            return lend_primary(context, device);
        } else {
            result = session.refuse_call({CUDA_ERROR_NOT_PERMITTED, kRefused});
            if (result == CUDA_SUCCESS) result = plain();
        }
        if (result != CUDA_SUCCESS) return result;
        course->homes().forget_ended(*context);
        course->homes().know_other(*context);
        return result;
    });
}

template <class Plain>
CUresult create_older(CUcontext* context, unsigned int flags, CUdevice device, Plain plain) {
    return create(context, device, {}, plain, [&](CUexecAffinityParam* kept, int count) {
        return hook::cuCtxCreate_v3(context, kept, count, flags, device);
    });
}

CUresult destroy(CUcontext context, CUresult (*real_destroy)(CUcontext)) {
    GreenCourse* const course = GreenCourse::active();
    const int device = course == nullptr ? -1 : course->homes().device_of_primary(context);
    if (device < 0 || !course->take_back(device)) {
        if (course != nullptr) course->homes().forget_other(context);
        return real_destroy(context);
    }
    CUcontext current = nullptr;
    real<Hook::cuCtxGetCurrent>()(&current);
    if (course->homes().told(current) == context) real<Hook::cuCtxPopCurrent_v2>()(&current);
    return green_hook::cuDevicePrimaryCtxRelease_v2(device);
}

}  // namespace

CUresult green_hook::cuCtxCreate(CUcontext* context, unsigned int flags, CUdevice device) {
    return create_older(context, flags, device,
                        [&] { return hook::cuCtxCreate(context, flags, device); });
}

CUresult green_hook::cuCtxCreate_v2(CUcontext* context, unsigned int flags, CUdevice device) {
    return create_older(context, flags, device,
                        [&] { return hook::cuCtxCreate_v2(context, flags, device); });
}

CUresult green_hook::cuCtxCreate_v3(CUcontext* context, CUexecAffinityParam* parameters, int count,
                                    unsigned int flags, CUdevice device) {
    return create(
        context, device, {parameters, count},
        [&] { return hook::cuCtxCreate_v3(context, parameters, count, flags, device); },
        [&](CUexecAffinityParam* kept, int number) {
            return hook::cuCtxCreate_v3(context, kept, number, flags, device);
        });
}

CUresult green_hook::cuCtxCreate_v4(CUcontext* context, CUctxCreateParams* parameters,
                                    unsigned int flags, CUdevice device) {
    Asked asked;
    if (parameters != nullptr) {
        asked = {parameters->execAffinityParams, parameters->numExecAffinityParams};
    }
    return create(
        context, device, asked,
        [&] { return hook::cuCtxCreate_v4(context, parameters, flags, device); },
        [&](CUexecAffinityParam* kept, int count) {
            CUctxCreateParams copy = parameters == nullptr ? CUctxCreateParams{} : *parameters;
            copy.execAffinityParams = kept;
            copy.numExecAffinityParams = count;
            return hook::cuCtxCreate_v4(context, &copy, flags, device);
        });
}

CUresult green_hook::cuCtxDestroy(CUcontext context) {
    return destroy(context, real<Hook::cuCtxDestroy>());
}

CUresult green_hook::cuCtxDestroy_v2(CUcontext context) {
    return destroy(context, real<Hook::cuCtxDestroy_v2>());
}

}  // namespace ration
