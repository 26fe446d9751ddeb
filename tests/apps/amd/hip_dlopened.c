/* Opened with RTLD_LOCAL and looked up name by name, as Python's extension modules are. The library
 * is that which HIP_LIBRARY names. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/apps/amd/hip_app.h"

#define QUOTE(name) #name
#define LOOK_UP(name)                           \
    *(void**)&hip.name = dlsym(library, #name); \
    if (hip.name == NULL) return fprintf(stderr, "%s\n", dlerror()), 2;

int main(int argc, char** argv) {
    const char* name = getenv("HIP_LIBRARY");
    void* library = dlopen(name != NULL ? name : HIP_SONAME, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return fprintf(stderr, "%s\n", dlerror()), 2;
    struct hip hip;
    HIP_APP_CALLS(LOOK_UP)
    return hip_app_main(&hip, "dlopened", argc, argv);
}
