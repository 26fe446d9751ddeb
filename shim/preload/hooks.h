// The rows of hooks.def as numbers and names, for the front, the engine and the tools.
#pragma once

#include <cstdint>

namespace ration {

// Whose entry point a row is. The numbers are those of boundary.h.
enum class Library : std::uint8_t { CUDA, HIP, HSA, LIBC };
inline constexpr unsigned kLibraryCount = 4;

// Each vendor's hooks are decided on by themselves, at the first call of one of them.
enum class Vendor : std::uint32_t { kNvidia, kAmd };
constexpr Vendor vendor_of(Library library) {
    return library == Library::CUDA ? Vendor::kNvidia : Vendor::kAmd;
}

// What a row is hooked for: see hooks.def. Libraries other than CUDA have a course alone.
enum class Group : std::uint8_t { kCourse, kGreen, kCurrent, kStream, kStreamMemory, kMemory };

// One enumerator per HOOK row, named after the symbol: Hook::cuInit. The numbers are those of
// boundary.h.
enum class Hook : std::uint32_t {
#define HOOK(library, symbol, family) symbol,
#include "shim/preload/hooks.def"
};

// An array and not a pointer: that would be a relocation, which every process pays for.
struct HookRow {
    char symbol[45];
    std::uint8_t family_length;  // the family is what the symbol begins with
    Library library;
    Group group;
};
static_assert(sizeof(HookRow) == 48);

namespace detail {
void this_family_is_not_what_the_symbol_begins_with();

consteval std::uint8_t family_length(const char* symbol, const char* family) {
    std::uint8_t length = 0;
    for (; family[length] != '\0'; ++length) {
        if (family[length] != symbol[length]) this_family_is_not_what_the_symbol_begins_with();
    }
    return length;
}
}  // namespace detail

#define RATION_ROW(library, symbol, family, group) \
    {#symbol, detail::family_length(#symbol, #family), Library::library, Group::group},
// All HOOK rows, then all FRONT rows.
inline constexpr HookRow kHookRows[] = {
#define HOOK(library, symbol, family) RATION_ROW(library, symbol, family, kCourse)
#define CUDA_GREEN(symbol, family, ...) RATION_ROW(CUDA, symbol, family, kGreen)
#define CUDA_CURRENT(symbol, family) RATION_ROW(CUDA, symbol, family, kCurrent)
#define CUDA_STREAM(symbol, family, ...) RATION_ROW(CUDA, symbol, family, kStream)
#define CUDA_STREAM_MEMORY(symbol, family, ...) RATION_ROW(CUDA, symbol, family, kStreamMemory)
#define CUDA_MEMORY(symbol, family, ...) RATION_ROW(CUDA, symbol, family, kMemory)
#include "shim/preload/hooks.def"
#define FRONT(library, symbol, family) RATION_ROW(library, symbol, family, kCourse)
#include "shim/preload/hooks.def"
};
#undef RATION_ROW

inline constexpr unsigned kRowCount = sizeof kHookRows / sizeof kHookRows[0];
inline constexpr unsigned kHookCount = 0
#define HOOK(library, symbol, family) +1
#include "shim/preload/hooks.def"
    ;

constexpr Library library_of(unsigned row) { return kHookRows[row].library; }
constexpr Library library_of(Hook hook) { return library_of(static_cast<unsigned>(hook)); }
constexpr Vendor vendor_of(Hook hook) { return vendor_of(library_of(hook)); }
constexpr Group group_of(Hook hook) { return kHookRows[static_cast<unsigned>(hook)].group; }

}  // namespace ration
