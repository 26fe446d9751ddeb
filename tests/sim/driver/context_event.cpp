// Events of whole contexts: recorded when all that a context was given is done, and waited for by
// all that it is given afterwards. A primary context's green ones go with it.
#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"
#include "tests/sim/driver/green.h"

using sim::Call;
using sim::Driver;

namespace {

// Runs `use(driver)` if `context(driver)` finds no fault and the event is one.
template <typename Check, typename Use>
CUresult on_event(const char* symbol, CUevent event, Check&& check, Use&& use) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    CUresult result = check(*driver);
    if (result != CUDA_SUCCESS) return call.done(result);
    if (driver->events.count(event) == 0) return call.done(CUDA_ERROR_INVALID_HANDLE);
    return call.done(use(*driver));
}

CUresult record(Driver& driver, CUcontext context, CUevent event) {
    if (event->context != context->root) return CUDA_ERROR_INVALID_HANDLE;
    const CUresult known = sim::progress_known(driver, context);
    if (known != CUDA_SUCCESS) return known;
    auto now = std::make_shared<sim::Record>();
    now->work = driver.worker.submit({[now] { now->at = std::chrono::steady_clock::now(); }},
                                     driver.unfinished(context));
    event->last = std::move(now);
    event->capture = nullptr;
    return CUDA_SUCCESS;
}

CUresult wait(Driver& driver, CUcontext context, CUevent event) {
    const CUresult known = sim::progress_known(driver, context);
    if (known != CUDA_SUCCESS) return known;
    if (event->capture != nullptr) {
        event->capture->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    if (event->last == nullptr) return CUDA_SUCCESS;
    context->barrier = driver.worker.submit({[] {}}, {context->barrier, event->last->work});
    return CUDA_SUCCESS;
}

auto alive(CUcontext context) {
    return [context](const Driver& driver) {
        return driver.contexts.count(context) != 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
    };
}

auto alive(CUgreenCtx green) {
    return [green](const Driver& driver) { return sim::check_green(driver, green); };
}

}  // namespace

CUresult cuCtxRecordEvent(CUcontext context, CUevent event) {
    return on_event("cuCtxRecordEvent", event, alive(context),
                    [=](Driver& driver) { return record(driver, context, event); });
}

CUresult cuCtxWaitEvent(CUcontext context, CUevent event) {
    return on_event("cuCtxWaitEvent", event, alive(context),
                    [=](Driver& driver) { return wait(driver, context, event); });
}

CUresult cuGreenCtxRecordEvent(CUgreenCtx green, CUevent event) {
    return on_event("cuGreenCtxRecordEvent", event, alive(green),
                    [=](Driver& driver) { return record(driver, green->context, event); });
}

CUresult cuGreenCtxWaitEvent(CUgreenCtx green, CUevent event) {
    return on_event("cuGreenCtxWaitEvent", event, alive(green),
                    [=](Driver& driver) { return wait(driver, green->context, event); });
}
