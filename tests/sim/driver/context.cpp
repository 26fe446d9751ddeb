// Contexts that the program makes itself.
#include <cstring>
#include <optional>

#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"
#include "tests/sim/driver/share.h"

using sim::Call;
using sim::Driver;

namespace {

// A caller may pass any number as a type, which an enum of C++ can't hold.
unsigned type_of(const CUexecAffinityParam& parameter) {
    unsigned type{};
    std::memcpy(&type, &parameter.type, sizeof type);
    return type;
}

// The affinity that `parameters` ask for, if any.
CUresult read_affinity(const Driver& driver, const sim::Device& device,
                       const CUexecAffinityParam* parameters, int count,
                       std::optional<sim::Affinity>& affinity) {
    if (count == 0) return CUDA_SUCCESS;
    if (parameters == nullptr || count < 0) return CUDA_ERROR_INVALID_VALUE;
    if (!driver.mps_enabled) return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
    for (int i = 0; i < count; ++i) {
        if (type_of(parameters[i]) != CU_EXEC_AFFINITY_TYPE_SM_COUNT) {
            return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
        }
        affinity =
            sim::affinity(parameters[i].param.smCount.val, device.sm_granted, device.sm_total);
        if (!affinity) return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
    }
    return CUDA_SUCCESS;
}

CUresult create(const char* symbol, CUcontext* context, const CUexecAffinityParam* parameters,
                int count, unsigned flags, CUdevice ordinal, unsigned api_version) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const auto fail = [&](CUresult why) {
        return call.done(why, "device=%d flags=%u affinities=%d", ordinal, flags, count);
    };
    if (context == nullptr) return fail(CUDA_ERROR_INVALID_VALUE);
    if ((flags & ~static_cast<unsigned>(CU_CTX_FLAGS_MASK)) != 0) {
        return fail(CUDA_ERROR_INVALID_VALUE);
    }
    if (!driver->valid(ordinal)) return fail(CUDA_ERROR_INVALID_DEVICE);
    const std::lock_guard<std::mutex> lock(driver->mutex);
    std::optional<sim::Affinity> affinity;
    CUresult result = read_affinity(*driver, driver->at(ordinal), parameters, count, affinity);
    if (result != CUDA_SUCCESS) return fail(result);
    CUcontext made = nullptr;
    result = driver->create_context(ordinal, flags, api_version, affinity, false, made);
    if (result != CUDA_SUCCESS) return fail(result);
    if (!sim::push_current(made)) {
        driver->destroy_context(made);
        return fail(CUDA_ERROR_INVALID_VALUE);
    }
    *context = made;
    return call.done(CUDA_SUCCESS, "device=%d flags=%u affinities=%d sms=%d", ordinal, flags, count,
                     made->usable_sms);
}

CUresult destroy(const char* symbol, CUcontext context) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    std::unique_lock<std::mutex> lock(driver->mutex);
    const auto destroyable = [&] {
        return driver->contexts.count(context) != 0 && context->root == context &&
               !context->primary;
    };
    if (!destroyable()) return call.done(CUDA_ERROR_INVALID_CONTEXT);
    driver->wait(lock, driver->unfinished(context));
    if (!destroyable()) return call.done(CUDA_ERROR_INVALID_CONTEXT);
    if (sim::current_context() == context) sim::pop_current();
    driver->destroy_context(context);
    return call.done(CUDA_SUCCESS, "device=%d", context->device);
}

}  // namespace

CUresult cuCtxCreate(CUcontext* context, unsigned flags, CUdevice device) {
    return create("cuCtxCreate", context, nullptr, 0, flags, device, 2000);
}

CUresult cuCtxCreate_v2(CUcontext* context, unsigned flags, CUdevice device) {
    return create("cuCtxCreate_v2", context, nullptr, 0, flags, device, 3020);
}

CUresult cuCtxCreate_v3(CUcontext* context, CUexecAffinityParam* parameters, int count,
                        unsigned flags, CUdevice device) {
    return create("cuCtxCreate_v3", context, parameters, count, flags, device, 3020);
}

CUresult cuCtxCreate_v4(CUcontext* context, CUctxCreateParams* parameters, unsigned flags,
                        CUdevice device) {
    const bool given = parameters != nullptr;
    return create("cuCtxCreate_v4", context, given ? parameters->execAffinityParams : nullptr,
                  given ? parameters->numExecAffinityParams : 0, flags, device, 3020);
}

CUresult cuCtxDestroy(CUcontext context) { return destroy("cuCtxDestroy", context); }
CUresult cuCtxDestroy_v2(CUcontext context) { return destroy("cuCtxDestroy_v2", context); }
