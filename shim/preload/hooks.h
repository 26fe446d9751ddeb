// The rows of hooks.def as numbers and names, for the front, the engine and the tools.
#pragma once

#include <cstdint>

namespace ration {

// One enumerator per HOOK row, named after the symbol: Hook::cuInit. The numbers are those of
// boundary.h.
enum class Hook : std::uint32_t {
#define HOOK(symbol, family) symbol,
#define FRONT(symbol, family)
#include "shim/preload/hooks.def"
#undef HOOK
#undef FRONT
};

struct HookRow {
    const char* symbol;
    const char* family;
};

// All HOOK rows, then all FRONT rows.
inline constexpr HookRow kHookRows[] = {
#define HOOK(symbol, family) {#symbol, #family},
#define FRONT(symbol, family)
#include "shim/preload/hooks.def"
#undef HOOK
#undef FRONT
#define HOOK(symbol, family)
#define FRONT(symbol, family) {#symbol, #family},
#include "shim/preload/hooks.def"
#undef HOOK
#undef FRONT
};

inline constexpr unsigned kRowCount = sizeof kHookRows / sizeof kHookRows[0];
inline constexpr unsigned kHookCount = 0
#define HOOK(symbol, family) +1
#define FRONT(symbol, family)
#include "shim/preload/hooks.def"
#undef HOOK
#undef FRONT
    ;

}  // namespace ration
