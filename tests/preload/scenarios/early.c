/* A preloaded library has an entry point of the driver too, and is called before there is a driver:
 * that decides nothing, and once the driver is there the calls are hooked. */
#include "scenario.h"

#pragma weak cuCtxSetCurrent

int main(void) {
    int* chained_calls = (int*)dlsym(RTLD_DEFAULT, "chained_calls");
    CHECK(cuCtxSetCurrent(NULL) == 999 && *chained_calls == 1); /* nothing behind it */
    CHECK(!is_mapped("libration-engine.so"));
    CHECK(dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) != NULL);
    CHECK(cuCtxSetCurrent(NULL) == 0 && *chained_calls == 2);
    CHECK(engine()->hooked == 1);
    return 0;
}
