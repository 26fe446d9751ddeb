// The front's one table: where each hooked entry point goes at this moment.
#pragma once

#include "shim/preload/hooks.h"

namespace ration::front {

// Makes the decision on a vendor for this process if it has not been made: loads the engine, which
// says where the vendor's hooks are to go. True once each of them has its target; false, and at
// once, in a thread that is itself deciding. Cheap once it is made.
bool decide(Vendor vendor);

// The same for the vendor of `hook`, if its library is there. Called by each call through a slot
// that is zero.
void decide(Hook hook);

// What a decision makes of the process.
struct Installation {
    void* const* targets = nullptr;   // a hook's function, or null for the real one; null: all real
    int code = 0;                     // else what every hook is to answer
    void (*commit)(void*) = nullptr;  // called with `state` before any other thread goes on
    void* state = nullptr;
};

// Puts it into effect, unless another thread of this process was first: then nothing, and false.
// For a thread that is deciding.
bool install(Vendor vendor, const Installation& installation);

// The function that a call of `hook` from `caller` is to reach after decide(); never null.
void* target(Hook hook, const void* caller);

// The function after libration.so that `row` stands for: the library's, or that of another library
// which was loaded at start. Null if there is none. Waits for no lock of the loader's that a thread
// may hold for long.
void* real(unsigned row);
inline void* real(Hook hook) { return real(static_cast<unsigned>(hook)); }

// Any other function of a library. Null if it has none of that name, or is not loaded yet.
void* find(Library library, const char* name);

// Does the work of real() for all rows of a vendor's libraries at once: the engine asks for most.
void find_all(Vendor vendor);

// Whether a function found by the name of `row` is the library's own, or that of a library which
// was loaded at start and so stands before it. Others merely have a symbol of the name.
bool stands_for(unsigned row, const void* address);

// Where a call of `row` from `caller` goes while the library is not there: to the name in the
// caller's own object, or in another that was loaded for it. A plugin that brings stubs, which load
// the library when they are called, would have reached them without us. Null if there is none.
void* stub_of(unsigned row, const void* caller);

// A look-up met `address`, which stands for `row`.
void remember(unsigned row, void* address);

// What a look-up that found `address` is to give to the program: the address itself once calls of
// the row go there anyway, else our exported jump.
void* hand_out(unsigned row, void* address);

// The address of the exported symbol of row `row`: what the loader binds a linked program to.
void* exported(unsigned row);

// True under AT_SECURE: nothing of the environment may be believed and nothing is done.
bool secure();

// Sends calls of `hook` to `function`; null means the real one, from the next call on. Any thread,
// at any time.
void route(std::uint32_t hook, void* function);

// Puts `after` in the place of `before`, if the slot still holds that.
void replace(Hook hook, void* before, void* after);

}  // namespace ration::front
