// Events in streams: recorded, and waited for.
#include "tests/sim/driver/on_stream.h"

using sim::Driver;
using sim::on_stream;
using sim::or_own;

namespace {

CUresult record(const char* symbol, CUevent event, CUstream handle, unsigned flags) {
    return on_stream(symbol, handle, [=](Driver& driver, CUstream stream, auto&) {
        if (driver.events.count(event) == 0) return CUDA_ERROR_INVALID_HANDLE;
        if (event->context != stream->context->root) return CUDA_ERROR_INVALID_HANDLE;
        if (flags != CU_EVENT_RECORD_DEFAULT) return CUDA_ERROR_INVALID_VALUE;
        if (stream->capture != nullptr) return sim::capture_record(stream, event);
        auto now = std::make_shared<sim::Record>();
        const CUresult result =
            driver.enqueue(stream, {[now] { now->at = std::chrono::steady_clock::now(); }});
        if (result != CUDA_SUCCESS) return result;
        now->work = stream->tail;
        event->last = std::move(now);
        event->capture = nullptr;
        return result;
    });
}

// The event as it was last recorded, whatever is recorded there afterwards.
CUresult wait(const char* symbol, CUstream handle, CUevent event, unsigned flags) {
    return on_stream(symbol, handle, [=](Driver& driver, CUstream stream, auto&) {
        if (driver.events.count(event) == 0) return CUDA_ERROR_INVALID_HANDLE;
        if (flags != CU_EVENT_WAIT_DEFAULT) return CUDA_ERROR_INVALID_VALUE;
        if (stream->capture != nullptr || event->capture != nullptr) {
            return sim::capture_wait(stream, event);
        }
        // Nothing to wait for, but the NULL stream is given something all the same.
        if (event->last == nullptr) return sim::progress_known(stream);
        return driver.enqueue(stream, {[] {}}, event->last->work);
    });
}

}  // namespace

CUresult cuEventRecord(CUevent event, CUstream stream) {
    return record("cuEventRecord", event, stream, 0);
}
CUresult cuEventRecord_ptsz(CUevent event, CUstream stream) {
    return record("cuEventRecord_ptsz", event, or_own(stream), 0);
}
CUresult cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned flags) {
    return record("cuEventRecordWithFlags", event, stream, flags);
}
CUresult cuEventRecordWithFlags_ptsz(CUevent event, CUstream stream, unsigned flags) {
    return record("cuEventRecordWithFlags_ptsz", event, or_own(stream), flags);
}
CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags) {
    return wait("cuStreamWaitEvent", stream, event, flags);
}
CUresult cuStreamWaitEvent_ptsz(CUstream stream, CUevent event, unsigned flags) {
    return wait("cuStreamWaitEvent_ptsz", or_own(stream), event, flags);
}
