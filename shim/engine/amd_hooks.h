// What a hooked call of HIP, HSA or the kernel does: one function for each of their rows in
// shim/preload/hooks.def.
#pragma once

#include "shim/amd/api.h"
#include "shim/preload/hooks.h"

namespace ration {

// Static members, as those of `hook`: another signature than api.h's does not compile, and a row
// without a definition does not link.
struct amd_hook {  // NOLINT(readability-identifier-naming): reads as a namespace
#define HIP_HOOK(symbol, family) static amd::type::symbol symbol;
#define HSA_HOOK(symbol, family) static amd::type::symbol symbol;
#define LIBC_HOOK(symbol, family) static amd::type::symbol symbol;
#include "shim/preload/hooks.def"
};

namespace engine {

// The function of `amd_hook` above, as the front's route() takes it.
void* amd_hook_function(Hook row);

}  // namespace engine
}  // namespace ration
