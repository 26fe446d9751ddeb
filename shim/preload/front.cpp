#include "shim/preload/front.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "shim/preload/engine.h"
#include "shim/preload/libc.h"
#include "shim/preload/objects.h"
#include "shim/preload/typed.h"

// Jumped through by the exported symbols (stubs.S), one entry a hook. A slot holds Typed::undecided
// until the decision, then whatever the calls are to reach.
// Plain pointers with plain initialisers, so that no compiler makes a constructor of them.
extern "C" {
extern void* ration_slots[ration::kHookCount];
void* ration_slots[ration::kHookCount] = {
#define HOOK(symbol, family) \
    (void*)&ration::front::Typed<ration::Hook::symbol, decltype(&::symbol)>::undecided,
#define FRONT(symbol, family)
#include "shim/preload/hooks.def"
#undef HOOK
#undef FRONT
};
}

namespace ration::front {
namespace {

std::atomic_ref<void*> slot(unsigned hook) { return std::atomic_ref<void*>(ration_slots[hook]); }
std::atomic_ref<void*> slot(Hook hook) { return slot(static_cast<unsigned>(hook)); }

struct Fallbacks {
    void* undecided;
    void* no_driver;
    void* not_in_driver;
    void* refused;
};

template <Hook hook, class F>
constexpr Fallbacks fallbacks_of() {
    using T = Typed<hook, F>;
    return {reinterpret_cast<void*>(&T::undecided), reinterpret_cast<void*>(&T::no_driver),
            reinterpret_cast<void*>(&T::not_in_driver), reinterpret_cast<void*>(&T::refused)};
}

Fallbacks fallbacks(unsigned hook) {
    switch (static_cast<Hook>(hook)) {
#define HOOK(symbol, family) \
    case Hook::symbol:       \
        return fallbacks_of<Hook::symbol, decltype(&::symbol)>();
#define FRONT(symbol, family)
#include "shim/preload/hooks.def"
#undef HOOK
#undef FRONT
    }
    return {};
}

// What a look-up of the program met; preferred over a search, because it is what the program would
// have called without us.
std::atomic<void*> remembered[kHookCount];

// The decision's progress: the process id, shifted, and a Phase. A forked child finds its parent's
// id and begins anew; this also frees a child that was forked while another thread was deciding.
enum Phase : uint32_t { kUndecided = 0, kDeciding = 1, kDecided = 2 };
constexpr unsigned kPhaseBits = 2;  // Linux's process ids have at most 22 bits (PID_MAX_LIMIT)
std::atomic<uint32_t> progress{0};
std::atomic<int> decider{0};
std::atomic<int> refusal_code{0};
std::atomic<bool> routed[kHookCount];

bool driver_loaded() { return objects::driver_definition("cuInit") != nullptr; }

uint32_t word(Phase phase) { return static_cast<uint32_t>(getpid()) << kPhaseBits | phase; }
int thread_id() { return static_cast<int>(syscall(SYS_gettid)); }

void wait_while(uint32_t value) {
    syscall(SYS_futex, &progress, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}
void wake_all() {
    syscall(SYS_futex, &progress, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0);
}

void fill(void* Fallbacks::*fallback) {
    for (unsigned i = 0; i < kHookCount; ++i) slot(i) = fallbacks(i).*fallback;
}

void fill_the_rest_with_real() {
    for (unsigned i = 0; i < kHookCount; ++i) {
        if (!routed[i]) route(i, nullptr);
    }
}

void settle() {
    // The program may dlclose the driver while we hold its addresses.
    libc::pin(objects::kDriverSoname);
    for (auto& mark : routed) mark = false;
    const Attached engine = secure() ? Attached{} : attach_engine();
    refusal_code = engine.code;
    if (engine.code != 0) {
        fill(&Fallbacks::refused);
    } else {
        fill_the_rest_with_real();
    }
}

// cuInit stays ours until the driver has been initialised: a child that is forked before that
// decides for itself, by its own environment, at its own first call.
CUresult init_until_it_succeeds(unsigned int flags) {
    decide();
    void* const now = slot(Hook::cuInit);
    const auto self = reinterpret_cast<void*>(&init_until_it_succeeds);
    auto* const function =
        reinterpret_cast<decltype(&::cuInit)>(now == self ? real(Hook::cuInit) : now);
    if (function == nullptr) return CUDA_ERROR_NO_DEVICE;
    const CUresult result = function(flags);
    void* expected = self;
    if (result == CUDA_SUCCESS) {
        slot(Hook::cuInit).compare_exchange_strong(expected, reinterpret_cast<void*>(function));
    }
    return result;
}

}  // namespace

CUresult refusal() { return static_cast<CUresult>(refusal_code.load()); }

bool secure() { return getauxval(AT_SECURE) != 0; }

void* real(Hook hook) {
    const auto index = static_cast<unsigned>(hook);
    if (void* const known = remembered[index]) return known;
    void* const found = libc::next_in_scope(kHookRows[index].symbol);
    return found != nullptr ? found : objects::driver_definition(kHookRows[index].symbol);
}

void remember(Hook hook, void* address) { remembered[static_cast<unsigned>(hook)] = address; }

void route(uint32_t hook, void* function) {
    if (hook >= kHookCount) return;
    if (function == nullptr) {
        function = real(static_cast<Hook>(hook));
        if (function == nullptr)
            function = fallbacks(hook).not_in_driver;
        else if (static_cast<Hook>(hook) == Hook::cuInit && !routed[hook])
            function = reinterpret_cast<void*>(&init_until_it_succeeds);
    }
    routed[hook] = true;
    slot(hook).store(function, std::memory_order_release);
}

void decide() {
    const int saved_errno = errno;
    for (;;) {
        uint32_t seen = progress.load(std::memory_order_acquire);
        if (seen == word(kDecided)) break;
        if (seen == word(kDeciding)) {
            if (decider == thread_id()) break;
            wait_while(seen);
            continue;
        }
        if (!driver_loaded()) break;
        if (!progress.compare_exchange_strong(seen, word(kDeciding))) continue;
        decider = thread_id();
        settle();
        progress.store(word(kDecided), std::memory_order_release);
        wake_all();
        break;
    }
    errno = saved_errno;
}

void* target(Hook hook) {
    const auto index = static_cast<unsigned>(hook);
    void* const now = slot(index).load(std::memory_order_acquire);
    if (now != fallbacks(index).undecided) return now;
    // Undecided still: the deciding thread itself, or no driver is loaded.
    void* const function = real(hook);
    if (function != nullptr) return function;
    return driver_loaded() ? fallbacks(index).not_in_driver : fallbacks(index).no_driver;
}

void* hand_out(Hook hook) {
    const auto index = static_cast<unsigned>(hook);
    void* const now = slot(index).load(std::memory_order_acquire);
    return now == remembered[index] && now != nullptr ? now : exported(index);
}

}  // namespace ration::front
