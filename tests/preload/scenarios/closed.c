/* A program that closes the driver and opens it again finds it working, and so do old pointers:
 * also where it comes to lie elsewhere, and what was found of it before is not looked up again. */
#include <stdint.h>
#include <sys/mman.h>

#include "scenario.h"

#pragma weak cuCtxSetCurrent
#pragma weak cuGetProcAddress_v2

/* Nothing else comes to lie there. */
static void keep_free(void* address) {
    const uintptr_t page = (uintptr_t)address & ~(uintptr_t)4095;
    CHECK(mmap((void*)page, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
               0) == (void*)page);
}

static void probe(void) {
    void* version = NULL;
    int status = 0;
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    CHECK(dlsym(driver, "cuCtxSetCurrent") != NULL);
    CHECK(cuGetProcAddress_v2("cuDriverGetVersion", &version, 12000, 0, &status) == 0);
    CHECK(dlclose(driver) == 0);
    CHECK(!is_mapped("libcuda.so.1")); /* a look-up alone keeps nothing */
    keep_free(version);
}

int main(void) {
    probe();
    probe();
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    CHECK(cuCtxSetCurrent(NULL) == 0);
    int (*init)(unsigned) = (int (*)(unsigned))dlsym(driver, "cuInit");
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
