/* Route 3: one dlsym, then cuGetProcAddress for everything, as libcudart does. `procaddress v1`
 * asks through the entry point that drivers before 12.0 have. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "tests/apps/app.h"

/* cuGetProcAddress wants the name without its version: the spelling in the source, unexpanded. The
 * version is what picks among cuMemAlloc and cuMemAlloc_v2; 11.4 has all that is used here. */
enum { kVersion = 11040 };

typedef CUresult (*look_up_v1)(const char*, void**, int, cuuint64_t);
typedef CUresult (*look_up_v2)(const char*, void**, int, cuuint64_t,
                               CUdriverProcAddressQueryResult*);

struct look_up {
    look_up_v1 v1;
    look_up_v2 v2;
};

static int find(const struct look_up* by, const char* name, void** function) {
    CUdriverProcAddressQueryResult found = CU_GET_PROC_ADDRESS_SUCCESS;
    const CUresult result =
        by->v2 ? by->v2(name, function, kVersion, 0, &found) : by->v1(name, function, kVersion, 0);
    return result == CUDA_SUCCESS && found == CU_GET_PROC_ADDRESS_SUCCESS && *function;
}

#define APP_FIND(name) &&find(&by, #name, (void**)&driver.name)

int main(int argc, char** argv) {
    const int first = argc > 1 && strcmp(argv[1], "v1") == 0;
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    struct look_up by = {0};
    struct driver driver;
    if (!library) {
        fprintf(stderr, "procaddress: %s\n", dlerror());
        return 1;
    }
    if (first) {
        *(void**)&by.v1 = dlsym(library, "cuGetProcAddress");
    } else {
        *(void**)&by.v2 = dlsym(library, "cuGetProcAddress_v2");
    }
    if (!by.v1 && !by.v2) {
        fprintf(stderr, "procaddress: %s\n", dlerror());
        return 1;
    }
    if (!(1 APP_CALLS(APP_FIND))) {
        fprintf(stderr, "procaddress: the driver lacks a function\n");
        return 1;
    }
    return app_main(&driver, "procaddress", argc - first, argv + first);
}
