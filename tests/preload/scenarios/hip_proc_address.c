/* hipGetProcAddress: HIP's answer with hooked addresses swapped, nothing else. */
#include <stdint.h>

#include "scenario.h"

typedef int (*Get)(const char*, void**, int, uint64_t, int*);

int main(void) {
    void* hip = dlopen("libamdhip64.so.6", RTLD_NOW | RTLD_LOCAL);
    Get get = (Get)dlsym(hip, "hipGetProcAddress");
    CHECK(lies_in((void*)get, "libration.so"));
    void* found = NULL;
    int status = 99;
    CHECK(get("hipInit", &found, 60200, 0, &status) == 0 && status == 0);
    CHECK(found == dlsym(hip, "hipInit") && lies_in(found, "libration.so"));
    int (*init)(unsigned) = (int (*)(unsigned))found;
    CHECK(get("hipMalloc", &found, 60200, 0, NULL) == 0 && lies_in(found, "libamdhip64.so.6"));
    CHECK(get("hipGetProcAddress", &found, 60200, 0, NULL) == 0 && found == (void*)get);
    CHECK(get("hipNope", &found, 60200, 0, &status) == 1 && status == 1 && found == NULL);
    CHECK(!is_mapped("libration-engine.so"));
    CHECK(init(0) == 0);
    CHECK(engine()->amd_attached == 1 && engine()->amd_hooked == 2);
    return 0;
}
