/* HIP in a plugin's own scope, as Python's extensions load it: neither it nor the HSA runtime that
 * it needs is in the global one. A look-up decides nothing. */
#include <stdint.h>

#include "scenario.h"

int main(void) {
    alarm(20);
    CHECK(dlsym(RTLD_DEFAULT, "hipInit") == NULL);
    (void)dlerror();
    void* hip = dlopen("libamdhip64.so.6", RTLD_NOW | RTLD_LOCAL);
    CHECK(hip != NULL);
    void* init = dlsym(hip, "hipInit");
    CHECK(lies_in(init, "libration.so") && dlerror() == NULL);
    CHECK(lies_in(dlsym(hip, "hipMalloc"), "libamdhip64.so.6"));
    CHECK(dlsym(hip, "hipNope") == NULL && dlerror() != NULL);
    CHECK(!is_mapped("libration-engine.so"));

    /* A call that is not hooked leads to hsa_init, which is. */
    int (*allocate)(void**, size_t) = (int (*)(void**, size_t))dlsym(hip, "hipMalloc");
    void* pointer = NULL;
    CHECK(allocate(&pointer, 8) == 0);
    CHECK(engine()->amd_attached == 1 && engine()->amd_hooked == 1 && engine()->amd_ioctls == 1);
    CHECK(((int (*)(unsigned))init)(0) == 0);
    CHECK(engine()->amd_attached == 1 && engine()->amd_hooked == 3);

    /* Versioned look-ups of a symbol that carries a version in its library. */
    void* hsa = dlopen("libhsa-runtime64.so.1", RTLD_NOW | RTLD_NOLOAD);
    CHECK(hsa != NULL && lies_in(dlsym(hsa, "hsa_init"), "libration.so"));
    /* After the decision, what needs no hook is the library's own. */
    CHECK(lies_in(dlsym(hsa, "hsa_agent_get_info"), "libhsa-runtime64.so.1"));
    CHECK(lies_in(dlsym(hip, "hipMemGetInfo"), "libamdhip64.so.6"));
    return 0;
}
