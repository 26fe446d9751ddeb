/* A setuid program under /etc/ld.so.preload: a pure pass-through, whatever the environment says. */
#include <sys/auxv.h>

#include "scenario.h"

int main(void) {
    CHECK(getauxval(AT_SECURE) == 1);
    CHECK(is_mapped("libration.so"));
    CHECK(getenv("RATION_POLICY") != NULL);
    /* Before the first call, when a look-up would else give what decides. */
    void* const driver = dlopen("libcuda.so.1", RTLD_LAZY);
    CHECK(driver != NULL && lies_in(dlsym(driver, "cuCtxSetCurrent"), "libcuda.so.1"));
    CHECK(cuInit(0) == 0 && cuCtxSetCurrent(NULL) == 0);
    CHECK(!is_mapped("libration-engine.so"));
    void* found = NULL;
    CHECK(cuGetProcAddress_v2("cuInit", &found, 12000, 0, NULL) == 0);
    CHECK(lies_in(found, "libcuda.so.1"));
    return 0;
}
