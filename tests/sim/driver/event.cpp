// Events: made, ended and asked.
#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"
#include "tests/sim/driver/pool.h"

using sim::Call;
using sim::Driver;

namespace {

constexpr unsigned kKnownFlags =
    CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS;

// Runs `use(driver, lock)` if the handles name events.
template <typename Use>
CUresult on_events(const char* symbol, std::initializer_list<CUevent> events, Use&& use) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    std::unique_lock<std::mutex> lock(driver->mutex);
    for (CUevent event : events) {
        if (driver->events.count(event) == 0) return call.done(CUDA_ERROR_INVALID_HANDLE);
    }
    return call.done(use(*driver, lock));
}

bool unfinished(CUevent event) { return event->last != nullptr && pending(event->last->work); }

// Nobody can say when something captured is done; having asked spoils the capture.
CUresult refuse_captured(CUevent event) {
    event->capture->invalid = true;
    return CUDA_ERROR_CAPTURED_EVENT;
}

CUresult destroy(const char* symbol, CUevent event) {
    return on_events(symbol, {event}, [event](Driver& driver, auto&) {
        driver.events.erase(event);
        delete event;
        return CUDA_SUCCESS;
    });
}

CUresult elapsed(const char* symbol, float* milliseconds, CUevent start, CUevent end) {
    return on_events(symbol, {start, end}, [=](Driver&, auto&) {
        if (milliseconds == nullptr) return CUDA_ERROR_INVALID_VALUE;
        for (CUevent event : {start, end}) {
            if ((event->flags & CU_EVENT_DISABLE_TIMING) != 0 || event->last == nullptr) {
                return CUDA_ERROR_INVALID_HANDLE;
            }
        }
        if (unfinished(start) || unfinished(end)) return CUDA_ERROR_NOT_READY;
        *milliseconds =
            std::chrono::duration<float, std::milli>(end->last->at - start->last->at).count();
        return CUDA_SUCCESS;
    });
}

}  // namespace

CUresult cuEventCreate(CUevent* event, unsigned flags) {
    Call call("cuEventCreate");
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    CUresult result{};
    CUcontext context = driver->usable_context(result);
    if (context == nullptr) return call.done(result);
    const bool untimed_ipc =
        (flags & CU_EVENT_INTERPROCESS) == 0 || (flags & CU_EVENT_DISABLE_TIMING) != 0;
    if (event == nullptr || (flags & ~kKnownFlags) != 0 || !untimed_ipc) {
        return call.done(CUDA_ERROR_INVALID_VALUE, "flags=%u", flags);
    }
    *event = new CUevent_st{context->root, flags};
    driver->events.insert(*event);
    return call.done(CUDA_SUCCESS, "flags=%u", flags);
}

CUresult cuEventDestroy(CUevent event) { return destroy("cuEventDestroy", event); }
CUresult cuEventDestroy_v2(CUevent event) { return destroy("cuEventDestroy_v2", event); }

CUresult cuEventQuery(CUevent event) {
    return on_events("cuEventQuery", {event}, [event](Driver& driver, auto&) {
        if (event->capture != nullptr) return refuse_captured(event);
        const CUresult allowed = sim::unsafe_allowed(driver);
        if (allowed != CUDA_SUCCESS) return allowed;
        return unfinished(event) ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
    });
}

CUresult cuEventSynchronize(CUevent event) {
    return on_events("cuEventSynchronize", {event}, [event](Driver& driver, auto& lock) {
        if (event->capture != nullptr) return refuse_captured(event);
        if (unfinished(event)) driver.worker.wait(lock, sim::WorkPtr(event->last->work));
        sim::trim_to_thresholds(driver);
        return CUDA_SUCCESS;
    });
}

CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
    return elapsed("cuEventElapsedTime", milliseconds, start, end);
}
CUresult cuEventElapsedTime_v2(float* milliseconds, CUevent start, CUevent end) {
    return elapsed("cuEventElapsedTime_v2", milliseconds, start, end);
}
