// The current context of the calling thread, and what can be asked of a context.
#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"
#include "tests/sim/driver/pool.h"

using sim::Call;
using sim::Driver;

namespace {

int device_of(CUcontext context) { return context != nullptr ? context->device : -1; }

// A destroyed green context, and a primary one that is not active, can be current still: then they
// tell their device, and answer 709 to what uses them.
bool has_ended(const Driver& driver, CUcontext context) {
    return driver.destroyed.count(context) != 0 && (context->green != nullptr || context->primary);
}

bool known(Driver& driver, CUcontext context) {
    const std::lock_guard<std::mutex> lock(driver.mutex);
    return driver.contexts.count(context) != 0 || has_ended(driver, context);
}

CUresult push(const char* symbol, CUcontext context) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    if (!known(*driver, context)) return call.done(CUDA_ERROR_INVALID_CONTEXT);
    const bool pushed = sim::push_current(context);
    return call.done(pushed ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE, "device=%d",
                     context->device);
}

CUresult pop(const char* symbol, CUcontext* context) {
    Call call(symbol);
    if (call.driver() == nullptr) return call.done();
    if (sim::current_context() == nullptr) return call.done(CUDA_ERROR_INVALID_CONTEXT);
    CUcontext popped = sim::pop_current();
    if (context != nullptr) *context = popped;
    return call.done(CUDA_SUCCESS, "device=%d", popped->device);
}

// Runs `work(context)` with `context`, or the current one if that is null.
template <typename Work>
CUresult with_context(const char* symbol, CUcontext context, Work&& work) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    std::unique_lock<std::mutex> lock(driver->mutex);
    CUresult why = CUDA_ERROR_INVALID_CONTEXT;
    if (context == nullptr) {
        context = driver->usable_context(why);
    } else if (driver->contexts.count(context) == 0) {
        context = nullptr;
    }
    if (context == nullptr) return call.done(why);
    return call.done(work(context, lock), "device=%d", context->device);
}

// The same for a query with one result pointer.
template <typename Value, typename Answer>
CUresult ask(const char* symbol, CUcontext context, Value* out, Answer&& answer) {
    return with_context(symbol, context, [&](CUcontext found, auto&) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = answer(found);
        return CUDA_SUCCESS;
    });
}

CUresult ask_device(const char* symbol, CUcontext context, CUdevice* device) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    CUresult why = CUDA_ERROR_INVALID_CONTEXT;
    if (context == nullptr) {
        driver->usable_context(why);
        context = sim::current_context();
    }
    if (driver->contexts.count(context) == 0 && !has_ended(*driver, context)) return call.done(why);
    if (device == nullptr) return call.done(CUDA_ERROR_INVALID_VALUE);
    *device = context->device;
    return call.done(CUDA_SUCCESS, "device=%d", context->device);
}

CUresult synchronise(const char* symbol, CUcontext context) {
    return with_context(symbol, context, [](CUcontext found, std::unique_lock<std::mutex>& lock) {
        Driver& driver = *Driver::get();
        const CUresult known = sim::progress_known(driver, found);
        if (known != CUDA_SUCCESS) return known;
        driver.wait(lock, driver.unfinished(found));
        sim::trim_to_thresholds(driver);
        return CUDA_SUCCESS;
    });
}

}  // namespace

CUresult cuCtxSetCurrent(CUcontext context) {
    Call call("cuCtxSetCurrent");
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    if (context != nullptr && !known(*driver, context)) {
        return call.done(CUDA_ERROR_INVALID_CONTEXT);
    }
    sim::set_current(context);
    return call.done(CUDA_SUCCESS, "device=%d", device_of(context));
}

CUresult cuCtxGetCurrent(CUcontext* context) {
    Call call("cuCtxGetCurrent");
    if (call.driver() == nullptr) return call.done();
    if (context == nullptr) return call.done(CUDA_ERROR_INVALID_VALUE);
    *context = sim::current_context();
    return call.done(CUDA_SUCCESS);
}

CUresult cuCtxPushCurrent(CUcontext context) { return push("cuCtxPushCurrent", context); }
CUresult cuCtxPushCurrent_v2(CUcontext context) { return push("cuCtxPushCurrent_v2", context); }
CUresult cuCtxPopCurrent(CUcontext* context) { return pop("cuCtxPopCurrent", context); }
CUresult cuCtxPopCurrent_v2(CUcontext* context) { return pop("cuCtxPopCurrent_v2", context); }

CUresult cuCtxGetDevice(CUdevice* device) { return ask_device("cuCtxGetDevice", nullptr, device); }

CUresult cuCtxGetDevice_v2(CUdevice* device, CUcontext context) {
    return ask_device("cuCtxGetDevice_v2", context, device);
}

CUresult cuCtxSynchronize() { return synchronise("cuCtxSynchronize", nullptr); }

CUresult cuCtxSynchronize_v2(CUcontext context) {
    return synchronise("cuCtxSynchronize_v2", context);
}

CUresult cuCtxGetApiVersion(CUcontext context, unsigned* version) {
    return ask("cuCtxGetApiVersion", context, version, [](CUcontext c) { return c->api_version; });
}

CUresult cuCtxGetFlags(unsigned* flags) {
    return ask("cuCtxGetFlags", nullptr, flags,
               [](CUcontext c) { return c->root->flags | CU_CTX_MAP_HOST; });
}

CUresult cuCtxGetId(CUcontext context, unsigned long long* id) {
    return ask("cuCtxGetId", context, id, [](CUcontext c) { return c->id; });
}

CUresult cuCtxGetExecAffinity(CUexecAffinityParam* affinity, CUexecAffinityType type) {
    return with_context("cuCtxGetExecAffinity", nullptr, [&](CUcontext context, auto&) {
        if (context->green != nullptr) return CUDA_ERROR_INVALID_CONTEXT;
        if (affinity == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (type != CU_EXEC_AFFINITY_TYPE_SM_COUNT) return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
        affinity->type = type;
        affinity->param.smCount.val = static_cast<unsigned>(context->affinity_sms);
        return CUDA_SUCCESS;
    });
}
