/* dlopen(RTLD_LOCAL) + dlsym: before the decision our jump, after it the driver's own address where
 * no hook is needed. */
#include "scenario.h"

typedef int (*Init)(unsigned);
typedef int (*One)(void*);

int main(void) {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    CHECK(driver != NULL);
    Init init = (Init)dlsym(driver, "cuInit");
    One set = (One)dlsym(driver, "cuCtxSetCurrent");
    CHECK(lies_in((void*)init, "libration.so"));
    CHECK(lies_in((void*)set, "libration.so"));
    CHECK(lies_in(dlsym(driver, "cuDriverGetVersion"), "libcuda.so.1"));
    CHECK(dlsym(driver, "cuCtxCreate_v4") == NULL); /* this driver has none */
    CHECK(!is_mapped("libration-engine.so"));       /* looking is not calling */
    CHECK(init(0) == 0);
    CHECK(set(NULL) == 0);
    CHECK(engine()->hooked == 2);
    CHECK(lies_in(dlsym(driver, "cuCtxSetCurrent"), "libration.so"));
    CHECK(lies_in(dlsym(driver, "cuDevicePrimaryCtxRetain"), "libcuda.so.1"));
    CHECK(lies_in(dlsym(driver, "cuCtxPushCurrent_v2"), "libcuda.so.1"));
    CHECK(dlerror() == NULL);
    return 0;
}
