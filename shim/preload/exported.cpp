// Addresses of our exported symbols, as the loader binds programs to them.
#include "shim/preload/front.h"

// Declared by name alone: only the addresses matter here, and stubs.S gives them.
extern "C" {
#define HOOK(library, symbol, family) \
    extern const char ration_address_of_##symbol[] __asm__(#symbol);
#define FRONT(library, symbol, family) \
    extern const char ration_address_of_##symbol[] __asm__(#symbol);
#include "shim/preload/hooks.def"
}

namespace ration::front {

void* exported(unsigned row) {
    static const char* const addresses[kRowCount] = {
#define HOOK(library, symbol, family) ration_address_of_##symbol,
#include "shim/preload/hooks.def"
#define FRONT(library, symbol, family) ration_address_of_##symbol,
#include "shim/preload/hooks.def"
    };
    return const_cast<char*>(addresses[row]);
}

}  // namespace ration::front
