/* `if (hipInit)` is true under us even without HIP: then there is no device. HIP may come later,
 * and bring HSA even later than the decision. */
#include <stdint.h>

#include "scenario.h"

extern int hipInit(unsigned) __attribute__((weak));
extern int hsa_init(void) __attribute__((weak));
extern int hipExtStreamGetCUMask(void*, uint32_t, uint32_t*) __attribute__((weak));
extern int hipGetProcAddress(const char*, void**, int, uint64_t, int*) __attribute__((weak));

int main(void) {
    void* found = NULL;
    CHECK(&hipInit != NULL);
    CHECK(hipInit(0) == 100);
    CHECK(hsa_init() == 0x1008);
    CHECK(hipGetProcAddress("hipInit", &found, 60200, 0, NULL) == 100);
    CHECK(!is_mapped("libration-engine.so"));
    CHECK(dlopen("libamdhip64.so.6", RTLD_NOW | RTLD_GLOBAL) != NULL);
    CHECK(hipInit(0) == 0);
    CHECK(engine()->amd_attached == 1);
    CHECK(hipExtStreamGetCUMask(NULL, 0, NULL) == 801); /* this library has none */
    return 0;
}
