#include "shim/preload/front.h"

#include <errno.h>
#include <sys/auxv.h>

#include <atomic>

#include "shim/preload/decision.h"
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
#define HOOK(library, symbol, family) (void*)ration::front::Typed<ration::Hook::symbol>::undecided,
#include "shim/preload/hooks.def"
};
}

namespace ration::front {
namespace {

std::atomic_ref<void*> slot(unsigned hook) { return std::atomic_ref<void*>(ration_slots[hook]); }
std::atomic_ref<void*> slot(Hook hook) { return slot(static_cast<unsigned>(hook)); }

struct Fallbacks {
    void* undecided;
    void* no_library;
    void* not_in_library;
    void* refused;
};

template <Hook hook>
constexpr Fallbacks fallbacks_of() {
    using T = Typed<hook>;
    return {reinterpret_cast<void*>(T::undecided), reinterpret_cast<void*>(T::no_library),
            reinterpret_cast<void*>(T::not_in_library), reinterpret_cast<void*>(T::refused)};
}

Fallbacks fallbacks(unsigned hook) {
    switch (static_cast<Hook>(hook)) {
#define HOOK(library, symbol, family) \
    case Hook::symbol:                \
        return fallbacks_of<Hook::symbol>();
#include "shim/preload/hooks.def"
    }
    return {};
}

// The real function where it need not be called by way of us, which is nearly everywhere.
void* until_it_succeeds(Hook hook, void* function) {
    switch (hook) {
        case Hook::cuInit:
            return reinterpret_cast<void*>(&Typed<Hook::cuInit>::until_it_succeeds);
        case Hook::hipInit:
            return reinterpret_cast<void*>(&Typed<Hook::hipInit>::until_it_succeeds);
        case Hook::hsa_init:
            return reinterpret_cast<void*>(&Typed<Hook::hsa_init>::until_it_succeeds);
        default:
            return function;
    }
}

// What a look-up of the program met; preferred over a search, because it is what the program would
// have called without us.
std::atomic<void*> remembered[kHookCount];
std::atomic<bool> routed[kHookCount];

struct OfVendor {
    Decision decision;
    std::atomic<int> refusal_code{0};
};
OfVendor vendors[2];
OfVendor& of(Vendor vendor) { return vendors[static_cast<unsigned>(vendor)]; }

template <class Visit>
void for_each_hook_of(Vendor vendor, Visit visit) {
    for (unsigned hook = 0; hook < kHookCount; ++hook) {
        if (vendor_of(library_of(hook)) == vendor) visit(hook);
    }
}

// The program may dlclose a library while we hold its addresses. (The C library stays anyway.)
void pin(Vendor vendor) {
    for (const Library library : {Library::CUDA, Library::HIP, Library::HSA}) {
        char soname[256];
        if (vendor_of(library) == vendor && objects::soname_of(library, soname, sizeof soname)) {
            libc::pin(soname);
        }
    }
}

void settle(Vendor vendor) {
    pin(vendor);
    for_each_hook_of(vendor, [](unsigned hook) { routed[hook] = false; });
    const Attached engine = secure() ? Attached{} : attach_engine(vendor);
    of(vendor).refusal_code = engine.code;
    for_each_hook_of(vendor, [&](unsigned hook) {
        if (engine.code != 0) {
            slot(hook) = fallbacks(hook).refused;
        } else if (!routed[hook]) {
            route(hook, nullptr);
        }
    });
}

// Nothing is decided for a library that is not there: its hooks are then either weak references, or
// somebody else's entry points of the same names.
bool in_question(Hook hook) {
    const Library library = library_of(hook);
    return library == Library::LIBC || objects::is_loaded(library);
}

}  // namespace

int refusal(Vendor vendor) { return of(vendor).refusal_code; }

bool secure() { return getauxval(AT_SECURE) != 0; }

void* real(Hook hook) {
    if (hook == Hook::ioctl) return next_ioctl();
    const auto index = static_cast<unsigned>(hook);
    if (void* const known = remembered[index]) return known;
    void* const found = libc::next_in_scope(kHookRows[index].symbol);
    return found != nullptr ? found
                            : objects::definition_in(library_of(hook), kHookRows[index].symbol);
}

void remember(Hook hook, void* address) { remembered[static_cast<unsigned>(hook)] = address; }

void route(uint32_t hook, void* function) {
    if (hook >= kHookCount) return;
    if (function == nullptr) {
        function = real(static_cast<Hook>(hook));
        if (function == nullptr && objects::is_loaded(library_of(hook))) {
            function = fallbacks(hook).not_in_library;
        } else if (function == nullptr) {
            // HIP may load HSA late: a call finds it then.
            function = fallbacks(hook).undecided;
        } else if (!routed[hook]) {
            function = until_it_succeeds(static_cast<Hook>(hook), function);
        }
    }
    routed[hook] = true;
    slot(hook).store(function, std::memory_order_release);
}

void replace(Hook hook, void* before, void* after) {
    slot(hook).compare_exchange_strong(before, after);
}

void decide(Hook hook) {
    const int saved_errno = errno;
    const Vendor vendor = vendor_of(hook);
    if (!of(vendor).decision.made() && in_question(hook) && of(vendor).decision.begin()) {
        settle(vendor);
        of(vendor).decision.done();
    }
    errno = saved_errno;
}

void* target(Hook hook) {
    const auto index = static_cast<unsigned>(hook);
    void* const now = slot(index).load(std::memory_order_acquire);
    if (now != fallbacks(index).undecided) return now;
    // Undecided still: the deciding thread itself, or no library is loaded, or one that was loaded
    // after the decision.
    if (void* const function = real(hook)) {
        if (of(vendor_of(hook)).decision.made()) replace(hook, now, function);
        return function;
    }
    return objects::is_loaded(library_of(hook)) ? fallbacks(index).not_in_library
                                                : fallbacks(index).no_library;
}

void* hand_out(Hook hook) {
    const auto index = static_cast<unsigned>(hook);
    void* const now = slot(index).load(std::memory_order_acquire);
    return now == remembered[index] && now != nullptr ? now : exported(index);
}

}  // namespace ration::front
