/* libration.so behind every dlsym, so that none comes after it: look-ups find nothing, and nobody
 * dies. */
#include "scenario.h"

int main(void) {
    void* late = dlopen(getenv("SCENARIO_LIBRATION"), RTLD_NOW | RTLD_LOCAL);
    CHECK(late != NULL);
    void* (*ours)(void*, const char*) = (void* (*)(void*, const char*))dlsym(late, "dlsym");
    CHECK(lies_in((void*)ours, "libration.so"));
    CHECK(ours(RTLD_DEFAULT, "cuInit") == NULL);
    CHECK(ours(RTLD_DEFAULT, "getppid") == NULL);
    int (*init)(unsigned) = (int (*)(unsigned))dlsym(late, "cuInit");
    CHECK(init(0) == 100);
    return 0;
}
