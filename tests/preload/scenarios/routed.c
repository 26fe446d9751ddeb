/* A hook that takes itself off is out of the way from the next call and look-up on. */
#include "scenario.h"

int main(void) {
    CHECK(cuCtxSetCurrent(NULL) == 0 && engine()->hooked == 1);
    CHECK(cuCtxSetCurrent(NULL) == 0 && engine()->hooked == 1);
    CHECK(fake_driver.contexts == 2);
    CHECK(lies_in(dlsym(RTLD_DEFAULT, "cuCtxSetCurrent"), "libcuda.so.1"));
    return 0;
}
