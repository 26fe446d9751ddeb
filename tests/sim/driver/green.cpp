#include "tests/sim/driver/green.h"

#include "tests/sim/driver/call.h"
#include "tests/sim/driver/on_stream.h"
#include "tests/sim/driver/resource.h"

using sim::Call;
using sim::Driver;

CUresult sim::check_green(const Driver& driver, CUgreenCtx green) {
    if (driver.greens.count(green) == 0) return CUDA_ERROR_INVALID_CONTEXT;
    return green->destroyed ? CUDA_ERROR_CONTEXT_IS_DESTROYED : CUDA_SUCCESS;
}

namespace {

// Runs `use(driver, lock)` if the handle names a green context that lives.
template <typename Use>
CUresult on_green(const char* symbol, CUgreenCtx green, Use&& use) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    std::unique_lock<std::mutex> lock(driver->mutex);
    CUresult result = sim::check_green(*driver, green);
    if (result == CUDA_SUCCESS) result = use(*driver, lock);
    return call.done(result);
}

CUresult get_contexts(const char* symbol, CUstream handle, CUcontext* context, CUgreenCtx* green) {
    return sim::on_stream(symbol, handle, [=](Driver&, CUstream stream, auto&) {
        if (context == nullptr || green == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *context = stream->context->root;
        *green = stream->context->green;
        return CUDA_SUCCESS;
    });
}

}  // namespace

CUresult cuGreenCtxCreate(CUgreenCtx* green, CUdevResourceDesc description, CUdevice device,
                          unsigned flags) {
    Call call("cuGreenCtxCreate");
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    if (!driver->valid(device)) return call.done(CUDA_ERROR_INVALID_DEVICE, "device=%d", device);
    if (green == nullptr || driver->descriptions.count(description) == 0 ||
        description->device != device || flags != CU_GREEN_CTX_DEFAULT_STREAM) {
        return call.done(CUDA_ERROR_INVALID_VALUE, "device=%d flags=%u", device, flags);
    }
    CUcontext context{};
    const CUresult result = driver->create_green(*description, context);
    if (result != CUDA_SUCCESS) return call.done(result, "device=%d", device);
    *green = new CUgreenCtx_st{context};
    context->green = *green;
    driver->greens.insert(*green);
    return call.done(CUDA_SUCCESS, "device=%d sms=%d", device, context->usable_sms);
}

CUresult cuGreenCtxDestroy(CUgreenCtx green) {
    return on_green("cuGreenCtxDestroy", green, [green](Driver& driver, auto& lock) {
        const sim::Device& device = driver.at(green->context->device);
        const bool last = device.greens == 1 && device.primary_uses == 0;
        if (last) driver.wait(lock, driver.unfinished(green->context->root));
        if (green->destroyed) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
        driver.destroy_green(green->context);
        green->destroyed = true;
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxFromGreenCtx(CUcontext* context, CUgreenCtx green) {
    return on_green("cuCtxFromGreenCtx", green, [=](Driver&, auto&) {
        if (context == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *context = green->context;
        return CUDA_SUCCESS;
    });
}

CUresult cuGreenCtxStreamCreate(CUstream* stream, CUgreenCtx green, unsigned flags, int priority) {
    return on_green("cuGreenCtxStreamCreate", green, [=](Driver& driver, auto&) {
        if (stream == nullptr || flags != CU_STREAM_NON_BLOCKING) return CUDA_ERROR_INVALID_VALUE;
        *stream = driver.add_stream(green->context, flags, priority);
        return CUDA_SUCCESS;
    });
}

CUresult cuStreamGetGreenCtx(CUstream stream, CUgreenCtx* green) {
    return sim::ask_stream("cuStreamGetGreenCtx", stream, green,
                           [](CUstream s) { return s->context->green; });
}

CUresult cuStreamGetCtx_v2(CUstream stream, CUcontext* context, CUgreenCtx* green) {
    return get_contexts("cuStreamGetCtx_v2", stream, context, green);
}

CUresult cuStreamGetCtx_v2_ptsz(CUstream stream, CUcontext* context, CUgreenCtx* green) {
    return get_contexts("cuStreamGetCtx_v2_ptsz", sim::or_own(stream), context, green);
}
