// The driver's own functions of the rows of hooks.def, each looked up when it is first asked for:
// for the groups of which cuda::Driver has none, because only some plans need them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "shim/cuda/api.h"
#include "shim/preload/hooks.h"

namespace ration::cuda {

namespace detail {
template <Hook hook>
struct EntryOf;
#define CUDA_HOOK(symbol, family)            \
    template <>                              \
    struct EntryOf<Hook::symbol> {           \
        using Pointer = decltype(&::symbol); \
    };
#include "shim/preload/hooks.def"

inline std::array<std::atomic<void*>, kHookCount> real_functions;  // null: not asked for yet
void* look_up(Hook hook);
}  // namespace detail

// The type of a row's function, by cuda.h.
template <Hook hook>
using Entry = typename detail::EntryOf<hook>::Pointer;

// Null where this driver has no such function; only then is it looked up again. Otherwise a load
// and a test. Any thread. Waits for no lock of the loader's that a thread may hold for long.
template <Hook hook>
Entry<hook> real() {
    void* known =
        detail::real_functions[static_cast<unsigned>(hook)].load(std::memory_order_relaxed);
    if (known == nullptr) [[unlikely]] {
        known = detail::look_up(hook);
    }
    return reinterpret_cast<Entry<hook>>(known);
}

// By what functions are looked up from now on, in place of any found before: the front's `real`, or
// what a test has. Before the first call of real(), which otherwise finds nothing.
void look_up_by(void* (*find)(std::uint32_t hook));

}  // namespace ration::cuda
