// Where a session has the calls of each hook go: to a function of ours, or to the driver's own.
#include "shim/engine/green_hooks.h"
#include "shim/engine/green_revival.h"
#include "shim/engine/hooks.h"
#include "shim/engine/memory_hooks.h"
#include "shim/engine/session.h"
#include "shim/engine/stream_hooks.h"

namespace ration::engine {

void* Session::function_of(Hook hook) const {
    void* const usual = usual_function(hook);
    if (!revives_.load(std::memory_order_acquire)) return usual;
    void* const reviving = reviving_function(hook, usual);
    return reviving != nullptr ? reviving : usual;
}

void* Session::usual_function(Hook hook) const {
    if (ruling_.plan.counted) {
        if (void* const counting = memory_function(hook)) return counting;
    }
    if (green_ != nullptr) {
        if (void* const green = green_hook_function(hook)) return green;
        if (void* const stream = stream_function(hook)) return stream;
    }
    return hook_function(hook);
}

// An entry point that this driver lacks stays the front's. So does cuInit, until it has succeeded:
// then it goes to the driver for good, and a child that is forked later gets the driver's own
// refusal. What is routed back here has been verified, and so the driver is initialised.
void Session::route(Hook hook, bool to_us) const {
    void* target = nullptr;
    if (to_us && has(hook)) target = function_of(hook);
    if (!to_us && hook == Hook::cuInit) target = reinterpret_cast<void*>(driver_.cuInit);
    front_.route(static_cast<uint32_t>(hook), target);
}

void Session::route_all(bool to_us) const {
    for_each_hook([&](Hook hook) { route(hook, to_us); });
}

// Of whole devices: what makes or takes a context, and what is counted.
void Session::await_contexts() const {
    for_each_hook([&](Hook hook) {
        const bool counts = ruling_.plan.counted && memory_function(hook) != nullptr;
        if (hook_function(hook) == nullptr && !counts) route(hook, false);
    });
    route(Hook::cuInit, false);
}

// What is counted, stays: and whose the memory is. Homes are entered as long as the process lives.
void Session::leave_contexts() const {
    if (green_ != nullptr && green_->confines()) return;
    const bool counted = ruling_.plan.counted.has_value();
    for_each_hook([&](Hook hook) {
        if (!counted || memory_function(hook) == nullptr) route(hook, false);
    });
    for (const Hook hook : {Hook::cuCtxCreate, Hook::cuCtxCreate_v2}) route(hook, counted);
    for (const Hook hook : {Hook::cuCtxCreate_v3, Hook::cuCtxCreate_v4}) {
        route(hook, counted || ruling_.plan.percent.has_value());
    }
}

// Also of rows that are the driver's own otherwise.
void Session::begin_reviving() {
    if (revives_.exchange(true)) return;
    for_each_hook([this](Hook hook) {
        const auto row = static_cast<uint32_t>(hook);
        if (reviving_function(hook, usual_function(hook)) == nullptr) return;
        present_[row] = front_.real(row) != nullptr;
        route(hook, true);
    });
    // A thread that has looked meanwhile may since have had another made current by the row's
    // former function.
    cuda::green::Homes::change();
}

}  // namespace ration::engine
