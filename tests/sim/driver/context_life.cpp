// Contexts: what making and ending one costs, and each thread's stack of current ones.
#include <atomic>

#include "tests/sim/driver/array.h"
#include "tests/sim/driver/driver.h"
#include "tests/sim/driver/share.h"

namespace sim {
namespace {

constexpr int kDeepest = 64;

// Plain data: it needs no destructor, so that a thread's end calls nothing in this library.
struct Stack {
    CUcontext contexts[kDeepest];
    int depth;
    unsigned long thread;
    CUstreamCaptureMode mode;  // 0: CU_STREAM_CAPTURE_MODE_GLOBAL
};
thread_local Stack t_stack;

}  // namespace

CUresult Driver::create_context(CUdevice ordinal, unsigned flags, unsigned api_version,
                                const std::optional<Affinity>& affinity, bool primary,
                                CUcontext& context) {
    Device& device = at(ordinal);
    const std::uint64_t own = context_bytes(device.sm_granted, mps_enabled);
    if (free_bytes(device) < own) return CUDA_ERROR_OUT_OF_MEMORY;
    int mps_id = 0;
    if (mps_enabled) {
        const CUresult result = mps.attach(device.uuid, mps_id);
        if (result != CUDA_SUCCESS) return result;
    }
    const Affinity sms = affinity.value_or(Affinity{device.sm_granted, device.sm_granted});
    // The primary context has the same handle in each of its lives, and a new id (measured).
    context = primary && device.primary_handle != nullptr ? device.primary_handle : new CUctx_st{};
    *context = CUctx_st{ordinal,
                        flags,
                        api_version,
                        next_context_id_++,
                        sms.answered,
                        sms.usable,
                        mps_id,
                        own,
                        primary,
                        sm_range(0, sms.usable),
                        sm_grain(device.gpu->major, false)};
    context->root = context;
    context->legacy.reset(new CUstream_st{context, CU_STREAM_DEFAULT, 0, next_stream_id_++});
    device.used += own;
    contexts.insert(context);
    destroyed.erase(context);
    if (primary) device.primary_handle = context;
    return CUDA_SUCCESS;
}

void Driver::destroy_context(CUcontext context) {
    if (mps_enabled) mps.detach(context->mps_id);
    at(context->device).used -= context->own_bytes;
    contexts.erase(context);
    const std::set<CapturePtr> begun = captures;
    for (const CapturePtr& each : begun) {
        if (each->origin->context == context) end_capture(*this, each);
    }
    while (!context->streams.empty()) remove_stream(*context->streams.begin());
    std::erase_if(events, [context](CUevent event) {
        if (event->context != context) return false;
        delete event;
        return true;
    });
    forget_arrays(*this, context);
    for (auto it = allocations.begin(); it != allocations.end();) {
        const auto next = std::next(it);
        if (it->second.context == context) release(it->first, it->second.kind);
        it = next;
    }
    destroyed.insert(context);
}

CUresult Driver::need_primary(CUdevice ordinal) {
    Device& device = at(ordinal);
    if (device.primary != nullptr) return CUDA_SUCCESS;
    return create_context(ordinal, device.primary_flags, 3020, std::nullopt, true, device.primary);
}

void Driver::end_unused_primary(Device& device) {
    if (device.primary_uses == 0 && device.greens == 0) end_primary(device);
}

void Driver::end_primary(Device& device) {
    if (device.primary == nullptr) return;
    destroy_context(device.primary);
    device.primary = nullptr;
}

CUcontext Driver::usable_context(CUresult& why) const {
    CUcontext context = current_context();
    why = CUDA_SUCCESS;
    if (contexts.count(context) != 0) return context;
    why = destroyed.count(context) != 0 ? CUDA_ERROR_CONTEXT_IS_DESTROYED
                                        : CUDA_ERROR_INVALID_CONTEXT;
    return nullptr;
}

CUcontext current_context() {
    return t_stack.depth > 0 ? t_stack.contexts[t_stack.depth - 1] : nullptr;
}

bool push_current(CUcontext context) {
    if (t_stack.depth == kDeepest) return false;
    t_stack.contexts[t_stack.depth++] = context;
    return true;
}

CUcontext pop_current() { return t_stack.depth > 0 ? t_stack.contexts[--t_stack.depth] : nullptr; }

unsigned long thread_number() {
    static std::atomic<unsigned long> last{0};
    if (t_stack.thread == 0) t_stack.thread = ++last;
    return t_stack.thread;
}

CUstreamCaptureMode& capture_mode() { return t_stack.mode; }

// Replaces the top; null takes it off.
void set_current(CUcontext context) {
    pop_current();
    if (context != nullptr) push_current(context);
}

}  // namespace sim
