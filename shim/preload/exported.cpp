// Addresses of our exported symbols, as the loader binds programs to them.
#include "shim/preload/front.h"

// Declared by name alone: only the addresses matter here, and stubs.S gives them.
extern "C" {
#define HOOK(symbol, family) extern const char ration_address_of_##symbol[] __asm__(#symbol);
#define FRONT(symbol, family) HOOK(symbol, family)
#include "shim/preload/hooks.def"
#undef HOOK
#undef FRONT
}

namespace ration::front {

void* exported(unsigned row) {
    static const char* const addresses[kRowCount] = {
#define HOOK(symbol, family) ration_address_of_##symbol,
#define FRONT(symbol, family)
#include "shim/preload/hooks.def"
#undef HOOK
#undef FRONT
#define HOOK(symbol, family)
#define FRONT(symbol, family) ration_address_of_##symbol,
#include "shim/preload/hooks.def"
#undef HOOK
#undef FRONT
    };
    return const_cast<char*>(addresses[row]);
}

}  // namespace ration::front
