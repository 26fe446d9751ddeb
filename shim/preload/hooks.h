// The rows of hooks.def as numbers and names, for the front, the engine and the tools.
#pragma once

#include <cstdint>

namespace ration {

// Whose entry point a row is. The numbers are those of boundary.h.
enum class Library : std::uint32_t { CUDA, HIP, HSA, LIBC };
inline constexpr unsigned kLibraryCount = 4;

// Each vendor's hooks are decided on by themselves, at the first call of one of them.
enum class Vendor : std::uint32_t { kNvidia, kAmd };
constexpr Vendor vendor_of(Library library) {
    return library == Library::CUDA ? Vendor::kNvidia : Vendor::kAmd;
}

// One enumerator per HOOK row, named after the symbol: Hook::cuInit. The numbers are those of
// boundary.h.
enum class Hook : std::uint32_t {
#define HOOK(library, symbol, family) symbol,
#include "shim/preload/hooks.def"
};

// Arrays and not pointers: a pointer would be a relocation, which every process pays for.
struct HookRow {
    char symbol[32];
    char family[32];
    Library library;
};

// All HOOK rows, then all FRONT rows.
inline constexpr HookRow kHookRows[] = {
#define HOOK(library, symbol, family) {#symbol, #family, Library::library},
#include "shim/preload/hooks.def"
#define FRONT(library, symbol, family) {#symbol, #family, Library::library},
#include "shim/preload/hooks.def"
};

inline constexpr unsigned kRowCount = sizeof kHookRows / sizeof kHookRows[0];
inline constexpr unsigned kHookCount = 0
#define HOOK(library, symbol, family) +1
#include "shim/preload/hooks.def"
    ;

constexpr Library library_of(unsigned row) { return kHookRows[row].library; }
constexpr Library library_of(Hook hook) { return library_of(static_cast<unsigned>(hook)); }
constexpr Vendor vendor_of(Hook hook) { return vendor_of(library_of(hook)); }

}  // namespace ration
