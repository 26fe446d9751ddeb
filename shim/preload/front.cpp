#include "shim/preload/front.h"

#include <errno.h>
#include <sys/auxv.h>

#include <atomic>

#include "shim/host/generation.h"
#include "shim/host/undisturbed.h"
#include "shim/preload/decision.h"
#include "shim/preload/engine.h"
#include "shim/preload/libc.h"
#include "shim/preload/objects.h"
#include "shim/preload/typed.h"
#include "shim/preload/unforked.h"

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
std::atomic<void*> remembered[kRowCount];
// What was found by a search, valid until the next object is unloaded.
objects::Cached searched[kRowCount];
// Where the calls of a hook go that needs no function of the engine.
std::atomic<void*> at_rest[kHookCount];

struct OfVendor {
    Decision decision;
    std::atomic<int> refusal_code{0};
};
OfVendor vendors[2];
OfVendor& of(Vendor vendor) { return vendors[static_cast<unsigned>(vendor)]; }

// The generation of the process in which this thread is deciding on a vendor. Initial-exec: see
// engine.cpp.
__attribute__((tls_model("initial-exec"))) thread_local uint32_t deciding[2] = {};

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

void* resting_place(unsigned hook) {
    if (void* const function = real(hook)) {
        return until_it_succeeds(static_cast<Hook>(hook), function);
    }
    // HIP may load HSA late: a call finds it then.
    return objects::is_loaded(library_of(hook)) ? fallbacks(hook).not_in_library
                                                : fallbacks(hook).undecided;
}

// Without a claim or a lock on anything, since the loader is called here: another thread may hold
// the loader's lock, in a constructor that makes a GPU call of its own, and wait for nobody.
void work_out(Vendor vendor) {
    pin(vendor);
    const Attached engine = secure() ? Attached{} : attach_engine(vendor);
    if (install(vendor, {.code = engine.code}) && engine.line[0] != '\0') {
        libc::say(engine.line);
    }
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

bool stands_for(unsigned row, const void* address) {
    return objects::is_in(library_of(row), address) || objects::loaded_at_start(address);
}

void* real(unsigned row) {
    if (row < kHookCount && library_of(row) == Library::LIBC) return next_ioctl();
    if (void* const known = remembered[row]) return known;
    if (void* const known = searched[row].get()) return known;
    const uint32_t unloaded = objects::unloaded_so_far();
    void* found = libc::next_in_scope(kHookRows[row].symbol);
    if (found == nullptr) libc::clear_error();
    if (found == nullptr || !stands_for(row, found)) {
        found = objects::definition_in(library_of(row), kHookRows[row].symbol);
    }
    searched[row].set(found, unloaded);
    return found;
}

void* stub_of(unsigned row, const void* caller) {
    if (void* const own = objects::definition_beside(caller, kHookRows[row].symbol)) return own;
    return objects::other_definition(kHookRows[row].symbol);
}

// One slot serves all who look the row up: the library's own function is not given up for another.
void remember(unsigned row, void* address) {
    void* const known = remembered[row];
    const Library library = library_of(row);
    if (known == address ||
        (known != nullptr && objects::is_in(library, known) && !objects::is_in(library, address))) {
        return;
    }
    remembered[row] = address;
}

bool install(Vendor vendor, const Installation& installation) {
    OfVendor& decided = of(vendor);
    if (decided.decision.made()) return false;
    void* rest[kHookCount] = {};
    for_each_hook_of(vendor, [&](unsigned hook) { rest[hook] = resting_place(hook); });
    const host::HeldSignals held(host::HeldSignals::Which::kAll);
    if (!decided.decision.first()) return false;
    decided.refusal_code = installation.code;
    if (installation.commit != nullptr) installation.commit(installation.state);
    for_each_hook_of(vendor, [&](unsigned hook) {
        void* target = installation.targets != nullptr ? installation.targets[hook] : nullptr;
        if (installation.code != 0) target = fallbacks(hook).refused;
        at_rest[hook] = rest[hook];
        slot(hook).store(target != nullptr ? target : rest[hook], std::memory_order_release);
    });
    decided.decision.done();
    return true;
}

void route(uint32_t hook, void* function) {
    if (hook >= kHookCount) return;
    void* const target = function != nullptr ? function : at_rest[hook].load();
    if (target != nullptr) slot(hook).store(target, std::memory_order_release);
}

void replace(Hook hook, void* before, void* after) {
    slot(hook).compare_exchange_strong(before, after);
}

bool decide(Vendor vendor) {
    if (of(vendor).decision.made()) return true;
    uint32_t& inside = deciding[static_cast<unsigned>(vendor)];
    const uint32_t process = host::generation();
    if (inside == process) return false;
    const int saved_errno = errno;
    {
        // A handler runs, and may jump out, when everything else is as it was.
        const host::HeldSignals held(host::HeldSignals::Which::kHandled);
        const host::Uncancelled uncancelled;
        const Unforked unforked;
        inside = process;
        work_out(vendor);
        inside = 0;
        errno = saved_errno;
    }
    return true;
}

void decide(Hook hook) {
    const int saved_errno = errno;
    if (!of(vendor_of(hook)).decision.made() && in_question(hook)) decide(vendor_of(hook));
    errno = saved_errno;
}

void* target(Hook hook, const void* caller) {
    const auto index = static_cast<unsigned>(hook);
    void* const now = slot(index).load(std::memory_order_acquire);
    if (now != fallbacks(index).undecided) return now;
    // Undecided still: the deciding thread itself, or no library is loaded, or one that was loaded
    // after the decision.
    if (void* const function = real(hook)) {
        if (of(vendor_of(hook)).decision.made()) {
            replace(hook, now, until_it_succeeds(hook, function));
        }
        return function;
    }
    if (objects::is_loaded(library_of(hook))) return fallbacks(index).not_in_library;
    void* const stub = stub_of(index, caller);
    return stub != nullptr ? stub : fallbacks(index).no_library;
}

void* hand_out(unsigned row, void* address) {
    const bool direct = row < kHookCount && slot(row).load(std::memory_order_acquire) == address;
    return direct ? address : exported(row);
}

}  // namespace ration::front
