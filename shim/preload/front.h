// The front's one table: where each hooked entry point goes at this moment.
#pragma once

#include "shim/preload/hooks.h"

namespace ration::front {

// Makes the decision on `hook`'s vendor for this process if it has not been made: loads the engine,
// which routes the vendor's hooks. Returns once each of them has its target. Cheap afterwards. A
// thread that calls it while it is itself deciding returns at once. Called by the first call
// through any slot of the vendor.
void decide(Hook hook);

// The function that a call of `hook` is to reach after decide(); never null.
void* target(Hook hook);

// The function after libration.so that `hook` stands for: the library's, or another preloaded
// library's. Null if there is none.
void* real(Hook hook);

// A look-up met `address` as the real function of `hook`.
void remember(Hook hook, void* address);

// What a look-up of `hook` is to give to the program: the library's own function once the decision
// needs no hook there, else our exported jump.
void* hand_out(Hook hook);

// The address of the exported symbol of row `row`: what the loader binds a linked program to.
void* exported(unsigned row);

// True under AT_SECURE: nothing of the environment may be believed and nothing is done.
bool secure();

// Sends calls of `hook` to `function`; null means the real one. Any thread, at any time.
void route(std::uint32_t hook, void* function);

// Puts `after` in the place of `before`, if the slot still holds that.
void replace(Hook hook, void* before, void* after);

// Index of `name` in kHookRows, or -1. Exact names only.
int row_of(const char* name);

}  // namespace ration::front
