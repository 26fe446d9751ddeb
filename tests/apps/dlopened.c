/* Route 2: dlopen and dlsym, as Triton and TensorRT do. */
#include <dlfcn.h>
#include <stdio.h>

#include "tests/apps/app.h"

/* POSIX lets an object pointer hold a function's address; ISO C has no cast for it. */
#define APP_LOOK_UP(name) *(void**)&driver.name = dlsym(library, APP_NAME(name));
#define APP_MISSING(name) || !driver.name

int main(int argc, char** argv) {
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    struct driver driver;
    if (!library) {
        fprintf(stderr, "dlopened: %s\n", dlerror());
        return 1;
    }
    APP_CALLS(APP_LOOK_UP)
    if (0 APP_CALLS(APP_MISSING)) {
        fprintf(stderr, "dlopened: the driver lacks a function\n");
        return 1;
    }
    return app_main(&driver, "dlopened", argc, argv);
}
