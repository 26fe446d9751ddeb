#include "shim/engine/driver_table.h"

#include "shim/preload/hooks.h"

namespace ration::engine {

cuda::Driver driver_table(const ration_front& front) {
    cuda::Driver driver;
#define HOOK(symbol, family) \
    driver.symbol =          \
        reinterpret_cast<decltype(&::symbol)>(front.real(static_cast<uint32_t>(Hook::symbol)));
#define FRONT(symbol, family)
#include "shim/preload/hooks.def"
#undef HOOK
#undef FRONT
#define CALL(symbol) \
    driver.symbol = reinterpret_cast<decltype(&::symbol)>(front.driver_symbol(#symbol));
#include "shim/cuda/driver.def"
#undef CALL
    return driver;
}

}  // namespace ration::engine
