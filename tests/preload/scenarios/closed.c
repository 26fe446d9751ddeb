/* A program that closes the driver and opens it again finds it working, and so do old pointers. */
#include "scenario.h"

int main(void) {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    int (*init)(unsigned) = (int (*)(unsigned))dlsym(driver, "cuInit");
    CHECK(dlclose(driver) == 0);
    CHECK(!is_mapped("libcuda.so.1")); /* a look-up alone keeps nothing */
    driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    init = (int (*)(unsigned))dlsym(driver, "cuInit");
    int (*set)(void*) = (int (*)(void*))dlsym(driver, "cuCtxSetCurrent");
    CHECK(init(0) == 0);
    CHECK(dlclose(driver) == 0);
    CHECK(is_mapped("libcuda.so.1"));
    CHECK(init(0) == 0 && set(NULL) == 0);
    driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    CHECK(((int (*)(void*))dlsym(driver, "cuCtxSetCurrent"))(NULL) == 0);
    CHECK(engine()->attached == 1);
    return 0;
}
