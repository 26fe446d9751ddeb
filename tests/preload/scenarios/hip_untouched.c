/* Without a policy nothing stays in the way: after the first call each slot is the library's own
 * function, ioctl's the next ioctl. */
#include "fake/hip.h"
#include "scenario.h"

int main(void) {
    CHECK(hipInit(0) == 0);
    CHECK(fake_hsa.requests == 1);
    CHECK(!is_mapped("libration-engine.so"));
    void* hip = dlopen("libamdhip64.so.6", RTLD_NOW | RTLD_NOLOAD);
    CHECK(lies_in(dlsym(hip, "hipInit"), "libamdhip64.so.6"));
    CHECK(lies_in(dlsym(hip, "hipStreamCreate"), "libamdhip64.so.6"));
    CHECK(hsa_init() == 0 && fake_hsa.requests == 2);
    return 0;
}
