/* Two preloaded libraries wrap one entry point: each call passes both, in either order, once. */
#include "scenario.h"

int main(void) {
    int* chained_calls = (int*)dlsym(RTLD_DEFAULT, "chained_calls");
    CHECK(cuInit(0) == 0);
    CHECK(cuCtxSetCurrent(NULL) == 0);
    CHECK(*chained_calls == 1);
    CHECK(engine()->hooked == 2);
    CHECK(fake_driver.contexts == 1);
    return 0;
}
