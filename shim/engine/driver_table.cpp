#include "shim/engine/driver_table.h"

#include "shim/preload/hooks.h"

namespace ration::engine {

cuda::Driver driver_table(const ration_front& front) {
    cuda::Driver driver;
#define CUDA_HOOK(symbol, family) \
    driver.symbol =               \
        reinterpret_cast<decltype(&::symbol)>(front.real(static_cast<uint32_t>(Hook::symbol)));
#define CUDA_GREEN(symbol, family, ...)
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

}  // namespace ration::engine
