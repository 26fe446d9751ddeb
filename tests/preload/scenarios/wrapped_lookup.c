/* Another preloaded library's cuGetProcAddress is called once for each call of the program's, and
 * what comes out is ours all the same. */
#include "scenario.h"

int main(void) {
    int* calls = (int*)dlsym(RTLD_DEFAULT, "get_proc_calls");
    void* found = NULL;
    int status = 99;
    CHECK(cuGetProcAddress_v2("cuInit", &found, 12000, 0, &status) == 0 && status == 0);
    CHECK(*calls == 1);
    CHECK(lies_in(found, "libration.so"));
    CHECK(((int (*)(unsigned))found)(0) == 0);
    CHECK(engine()->installed == 1 && engine()->hooked == 1);
    CHECK(cuGetProcAddress_v2("cuDriverGetVersion", &found, 12000, 0, &status) == 0 && *calls == 2);
    return 0;
}
