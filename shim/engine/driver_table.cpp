#include "shim/engine/driver_table.h"

#include "shim/preload/hooks.h"

namespace ration::engine {
namespace {

consteval bool same(const char* one, const char* other) {
    while (*one != '\0' && *one == *other) {
        ++one;
        ++other;
    }
    return *one == *other;
}

// The hook of that name; kHookCount: there is none.
consteval unsigned row_of(const char* symbol) {
    unsigned row = 0;
    while (row < kHookCount && !same(kHookRows[row].symbol, symbol)) ++row;
    return row;
}

}  // namespace

cuda::Driver driver_table(const ration_front& front) {
    cuda::Driver driver;
#define CUDA_HOOK(symbol, family) \
    driver.symbol =               \
        reinterpret_cast<decltype(&::symbol)>(front.real(static_cast<uint32_t>(Hook::symbol)));
#define CUDA_GREEN(symbol, family, ...)
#define CUDA_CURRENT(symbol, family)
#define CUDA_STREAM(symbol, family, ...)
#define CUDA_STREAM_MEMORY(symbol, family, ...)
#define CUDA_MEMORY(symbol, family, ...)
#include "shim/preload/hooks.def"
    const auto library = static_cast<uint32_t>(Library::CUDA);
#define CALL(symbol) \
    driver.symbol = reinterpret_cast<decltype(&::symbol)>(front.find(library, #symbol));
#include "shim/cuda/driver.def"
#undef CALL
    return driver;
}

cuda::green::Calls green_calls(const ration_front& front) {
    cuda::green::Calls calls;
    const auto library = static_cast<uint32_t>(Library::CUDA);
#define CALL(symbol)                                                                       \
    calls.symbol = reinterpret_cast<decltype(&::symbol)>(row_of(#symbol) < kHookCount      \
                                                             ? front.real(row_of(#symbol)) \
                                                             : front.find(library, #symbol));
#include "shim/cuda/green/calls.def"
#undef CALL
    return calls;
}

}  // namespace ration::engine
