#include "shim/preload/front.h"

#include <errno.h>
#include <sys/auxv.h>

#include <atomic>
#include <type_traits>

#include "shim/host/generation.h"
#include "shim/host/undisturbed.h"
#include "shim/preload/decision.h"
#include "shim/preload/elf_object.h"
#include "shim/preload/engine.h"
#include "shim/preload/kernel_calls.h"
#include "shim/preload/libc.h"
#include "shim/preload/objects.h"
#include "shim/preload/signatures.h"
#include "shim/preload/stand_ins.h"
#include "shim/preload/unforked.h"

// Jumped through by the exported symbols (stubs.S), one entry a hook. Zero, as all begin: resolved
// at the first call or look-up, which decides if nobody has, and then is the library's own function
// where the decision left it at that. So a process pays for none that it does not use.
extern "C" {
extern void* ration_slots[ration::kHookCount];
void* ration_slots[ration::kHookCount] = {};
}

namespace ration::front {
namespace {

std::atomic_ref<void*> slot(unsigned hook) { return std::atomic_ref<void*>(ration_slots[hook]); }
std::atomic_ref<void*> slot(Hook hook) { return slot(static_cast<unsigned>(hook)); }

// What a look-up of the program met, because that is what the program would have called without us;
// else what a search found. It may have been unloaded since.
std::atomic<void*> remembered[kRowCount] = {};

struct OfVendor {
    Decision decision;
    std::atomic<int> refusal_code{0};
};
OfVendor vendors[2] = {};
OfVendor& of(Vendor vendor) { return vendors[static_cast<unsigned>(vendor)]; }

// The generation of the process in which this thread is deciding on a vendor. Initial-exec: see
// engine.cpp.
__attribute__((tls_model("initial-exec"))) thread_local uint32_t deciding[2] = {};

// Puts a resting place into a slot, and returns what calls are to reach: another thread may have
// been first, or the engine.
void* fill(Hook hook, void* function) {
    void* const place = until_it_succeeds(hook, function);
    void* held = nullptr;
    return slot(hook).compare_exchange_strong(held, place) ? place : held;
}

template <class Visit>
void for_each_hook_of(Vendor vendor, Visit visit) {
    for (unsigned hook = 0; hook < kHookCount; ++hook) {
        if (vendor_of(library_of(hook)) == vendor) visit(hook);
    }
}

// Tables of a library that never goes, so that a name is looked up in it without a walk along all
// objects, of which a process may have hundreds.
class Pinned {
  public:
    void learn(Library library) {
        ElfW(Addr) base = 0;
        const ElfW(Dyn)* dynamic = nullptr;
        if (!objects::place_of(library, base, dynamic)) return;
        base_ = base;
        dynamic_.store(dynamic, std::memory_order_release);
    }
    bool known() const { return dynamic_.load(std::memory_order_relaxed) != nullptr; }
    // All rows were searched for: no object that may define one comes later. (What was loaded at
    // start does not change either.)
    void set_searched() { searched_.store(known(), std::memory_order_release); }
    bool is_searched() const { return searched_.load(std::memory_order_acquire); }
    void* function(const char* name) const {
        const ElfW(Dyn)* const dynamic = dynamic_.load(std::memory_order_acquire);
        return dynamic == nullptr ? nullptr : objects::ElfObject(base_, dynamic).function(name);
    }

  private:
    std::atomic<ElfW(Addr)> base_{0};
    std::atomic<const ElfW(Dyn)*> dynamic_{nullptr};
    std::atomic<bool> searched_{false};
};
Pinned pinned[kLibraryCount] = {};
Pinned& pinned_in(Library library) { return pinned[static_cast<unsigned>(library)]; }

// The program may dlclose a library while we hold its addresses. (The C library stays anyway.)
void pin(Vendor vendor) {
    for (const Library library : {Library::CUDA, Library::HIP, Library::HSA}) {
        char soname[256];
        if (vendor_of(library) == vendor && objects::soname_of(library, soname, sizeof soname) &&
            libc::pin(soname)) {
            pinned_in(library).learn(library);
        }
    }
}

// Where calls go that need no function of the engine; never null. Into the slot, too, once that is
// decided: but HIP may load HSA late, and a call finds it then.
void* resting_place(Hook hook, const void* caller) {
    void* place = real(hook);
    if (place == nullptr && !objects::is_loaded(library_of(hook))) {
        void* const stub = stub_of(static_cast<unsigned>(hook), caller);
        return stub != nullptr ? stub : no_library(library_of(hook));
    }
    if (place == nullptr) place = not_in_library(library_of(hook));
    return of(vendor_of(hook)).decision.made() ? fill(hook, place) : place;
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

// No loader's lock is waited for: whoever holds it, in a constructor, may wait for this thread.
void* real(unsigned row) {
    if (library_of(row) == Library::LIBC) return next_ioctl();
    const char* const name = kHookRows[row].symbol;
    void* known = remembered[row];
    if (known != nullptr &&
        (pinned_in(library_of(row)).function(name) == known ||
         objects::definition_beside(known, name) == known || objects::loaded_at_start(known))) {
        return known;
    }
    if (known == nullptr && pinned_in(library_of(row)).is_searched()) return nullptr;
    void* const found = objects::definition_behind_us(library_of(row), name);
    remembered[row].compare_exchange_strong(known, found);
    return found;
}

void* find(Library library, const char* name) {
    const Pinned& here = pinned_in(library);
    return here.known() ? here.function(name) : objects::definition_in(library, name);
}

void find_all(Vendor vendor) {
    for (const Library library : {Library::CUDA, Library::HIP, Library::HSA}) {
        if (vendor_of(library) != vendor || !objects::is_loaded(library)) continue;
        objects::Search searches[kRowCount];
        unsigned rows[kRowCount];
        unsigned count = 0;
        for (unsigned row = 0; row < kRowCount; ++row) {
            if (library_of(row) != library || remembered[row] != nullptr) continue;
            searches[count].name = kHookRows[row].symbol;
            rows[count++] = row;
        }
        if (count == 0) continue;
        objects::definitions_behind_us(library, searches, count);
        for (unsigned i = 0; i < count; ++i) {
            void* unknown = nullptr;
            remembered[rows[i]].compare_exchange_strong(unknown, searches[i].found);
        }
        pinned_in(library).set_searched();
    }
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
    const host::HeldSignals held(host::HeldSignals::Which::kAll);
    if (!decided.decision.first()) return false;
    decided.refusal_code = installation.code;
    if (installation.commit != nullptr) installation.commit(installation.state);
    for_each_hook_of(vendor, [&](unsigned hook) {
        void* target = installation.targets != nullptr ? installation.targets[hook] : nullptr;
        if (installation.code != 0) target = refused(library_of(hook));
        slot(hook).store(target, std::memory_order_release);
    });
    decided.decision.done();
    return true;
}

void route(uint32_t hook, void* function) {
    if (hook < kHookCount) slot(hook).store(function, std::memory_order_release);
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
    void* const now = slot(hook).load(std::memory_order_acquire);
    return now != nullptr ? now : resting_place(hook, caller);
}

void* hand_out(unsigned row, void* address) {
    if (row >= kHookCount) return exported(row);
    const auto hook = static_cast<Hook>(row);
    void* held = slot(hook).load(std::memory_order_acquire);
    if (held == nullptr && of(vendor_of(hook)).decision.made()) held = fill(hook, real(hook));
    return held == address ? address : exported(row);
}

}  // namespace ration::front

namespace {

// The jumps keep the registers that pass integers and pointers while a slot is resolved (stubs.S),
// and none that passes a floating-point number. What is passed as a structure is named here,
// because its members cannot be asked for.
template <class Argument>
constexpr bool kInGeneralRegister =
    !std::is_floating_point_v<Argument> &&
    (!std::is_class_v<Argument> || std::is_same_v<Argument, CUmemLocation> ||
     std::is_same_v<Argument, ration::amd::HsaAgent>);
template <class Function>
constexpr bool kInGeneralRegisters = false;
template <class Result, class... Arguments>
constexpr bool kInGeneralRegisters<Result (*)(Arguments...)> = (kInGeneralRegister<Arguments> &&
                                                                ...);
#define HOOK(library, symbol, family) \
    static_assert(kInGeneralRegisters<ration::Signature<ration::Hook::symbol>::Pointer>);
#include "shim/preload/hooks.def"

}  // namespace

// What a jump whose slot is zero goes to, called by stubs.S with the hook's number and its caller.
// ioctl serves programs without a GPU too, and only its own function tells for which requests a
// decision is due.
extern "C" void* ration_reach(uint32_t number, const void* caller) {
    using namespace ration;
    const auto hook = static_cast<Hook>(number);
    if (number >= kHookCount) return front::next_ioctl();
    if (hook == Hook::ioctl) return reinterpret_cast<void*>(&front::undecided_ioctl);
    const int saved_errno = errno;
    front::decide(hook);
    void* const target = front::target(hook, caller);
    errno = saved_errno;
    return target;
}
