/* `if (cuInit)` is true under us even without a driver: then there is no device. Once the program
 * loads a driver, everything works. */
#include "scenario.h"

extern int cuInit(unsigned) __attribute__((weak));
extern int cuCtxCreate_v4(void**, void*, unsigned, int) __attribute__((weak));

int main(void) {
    CHECK(&cuInit != NULL);
    CHECK(cuInit(0) == 100);
    CHECK(!is_mapped("libration-engine.so"));
    CHECK(dlsym(RTLD_DEFAULT, "cuInit") == NULL);
    CHECK(dlerror() != NULL);
    void* self = dlopen(NULL, RTLD_NOW);
    CHECK(dlsym(self, "cuGetProcAddress_v2") == NULL);

    CHECK(dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) != NULL);
    CHECK(cuInit(0) == 0);
    CHECK(engine()->attached == 1);
    CHECK(cuCtxCreate_v4(NULL, NULL, 0, 0) == 801); /* this driver has none */
    (void)dlerror();
    CHECK(dlsym(RTLD_DEFAULT, "cuInit") == (void*)&cuInit);
    CHECK(dlerror() == NULL);
    return 0;
}
