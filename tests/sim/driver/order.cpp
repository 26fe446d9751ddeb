// What a stream's work waits for. The rules of the legacy default stream hold within one context:
// its work waits for all that blocking streams were given before, and theirs for it.
#include <algorithm>

#include "tests/sim/driver/driver.h"

namespace sim {
namespace {

void add(std::vector<WorkPtr>& works, const WorkPtr& work) {
    if (pending(work)) works.push_back(work);
}

// All streams of a context but its NULL stream.
template <typename Visit>
void for_each_stream(CUcontext context, Visit&& visit) {
    for (CUstream each : context->streams) visit(each->tail, each->blocking());
    for (const auto& [thread, own] : context->per_thread) visit(own->tail, own->blocking());
    for (const Leftover& left : context->leftovers) visit(left.tail, left.blocking);
}

}  // namespace

std::vector<WorkPtr> Driver::unfinished(CUstream stream) const {
    std::vector<WorkPtr> works;
    add(works, stream->tail);
    if (stream == stream->context->legacy.get()) {
        for_each_stream(stream->context, [&](const WorkPtr& tail, bool blocking) {
            if (blocking) add(works, tail);
        });
    }
    return works;
}

std::vector<WorkPtr> Driver::unfinished(CUcontext context) const {
    std::vector<WorkPtr> works;
    for (CUcontext each : contexts) {
        if (each != context && each->root != context) continue;
        add(works, each->legacy->tail);
        for_each_stream(each, [&](const WorkPtr& tail, bool) { add(works, tail); });
    }
    return works;
}

CUresult Driver::enqueue(CUstream stream, Task task, const WorkPtr& other) {
    if (stream->capture != nullptr) return capture_task(stream, std::move(task));
    if (!captures.empty() && stream == stream->context->legacy.get()) {
        const CUresult usable = legacy_usable(stream->context, true);
        if (usable != CUDA_SUCCESS) return usable;
    }
    std::vector<WorkPtr> before = unfinished(stream);
    if (stream->blocking()) add(before, stream->context->legacy->tail);
    add(before, stream->context->barrier);
    add(before, stream->context->root->barrier);
    add(before, other);
    stream->tail = worker.submit(std::move(task), before);
    return CUDA_SUCCESS;
}

void Driver::wait(std::unique_lock<std::mutex>& lock, const std::vector<WorkPtr>& works) {
    for (const WorkPtr& work : works) worker.wait(lock, work);
}

CUresult Driver::check_stream(CUstream stream) const {
    if (streams.count(stream) == 0) return CUDA_ERROR_INVALID_HANDLE;
    return contexts.count(stream->context) != 0 ? CUDA_SUCCESS : CUDA_ERROR_CONTEXT_IS_DESTROYED;
}

CUstream Driver::find_stream(CUstream handle, CUresult& why) {
    why = CUDA_SUCCESS;
    if (handle != nullptr && handle != CU_STREAM_LEGACY && handle != CU_STREAM_PER_THREAD) {
        why = check_stream(handle);
        return why == CUDA_SUCCESS ? handle : nullptr;
    }
    CUcontext context = usable_context(why);
    if (context == nullptr) return nullptr;
    if (handle != CU_STREAM_PER_THREAD) return context->legacy.get();
    if (context->green != nullptr) {
        why = CUDA_ERROR_INVALID_HANDLE;
        return nullptr;
    }
    std::unique_ptr<CUstream_st>& own = context->per_thread[thread_number()];
    if (own == nullptr) {
        own.reset(new CUstream_st{context, CU_STREAM_DEFAULT, 0, next_stream_id_++});
    }
    return own.get();
}

CUstream Driver::add_stream(CUcontext context, unsigned flags, int priority) {
    if (context->green != nullptr) flags = CU_STREAM_NON_BLOCKING;
    priority = std::clamp(priority, kGreatestPriority, 0);
    CUstream stream = new CUstream_st{context, flags, priority, next_stream_id_++};
    streams.insert(stream);
    context->streams.insert(stream);
    return stream;
}

// Measured: what a destroyed stream had still to do is done, and the NULL stream waits for it.
void Driver::remove_stream(CUstream stream) {
    std::vector<Leftover>& leftovers = stream->context->leftovers;
    std::erase_if(leftovers, [](const Leftover& left) { return !pending(left.tail); });
    if (pending(stream->tail)) leftovers.push_back({stream->tail, stream->blocking()});
    if (stream->capture != nullptr) {
        stream->capture->invalid = true;
        stream->capture->streams.erase(stream);
        if (stream->capture->origin == stream) end_capture(*this, CapturePtr(stream->capture));
    }
    stream->context->streams.erase(stream);
    streams.erase(stream);
    delete stream;
}

}  // namespace sim
