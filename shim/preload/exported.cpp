// Addresses of our exported symbols, as the loader binds programs to them.
#include "shim/preload/front.h"

// Named, not called: stubs.S gives them. The hooks' jumps lie one behind the other in the order of
// the rows, so that no process pays for a table of relocations.
extern "C" {
extern const char ration_stubs[];
extern const unsigned ration_stub_size;
#define FRONT(library, symbol, family) \
    extern const char ration_address_of_##symbol[] __asm__(#symbol);
#include "shim/preload/hooks.def"
}

namespace ration::front {

void* exported(unsigned row) {
    if (row < kHookCount) return const_cast<char*>(ration_stubs + ration_stub_size * row);
    static const char* const addresses[] = {
#define FRONT(library, symbol, family) ration_address_of_##symbol,
#include "shim/preload/hooks.def"
    };
    return const_cast<char*>(addresses[row - kHookCount]);
}

}  // namespace ration::front
