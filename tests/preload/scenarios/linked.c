/* A linked program reaches the hooks through its PLT, and function addresses are the jumps. */
#include "scenario.h"

int main(void) {
    const int reentered = strcmp(getenv("FAKE_ENGINE"), "reenter") == 0;
    alarm(20);
    errno = 77;
    CHECK(cuInit(0) == 0);
    CHECK(errno == 77);
    CHECK(cuCtxSetCurrent(NULL) == 0);
    void* context = NULL;
    CHECK(cuCtxCreate_v3(&context, NULL, 0, 0, 0) == 0);
    int version = 0;
    CHECK(cuDriverGetVersion(&version) == 0 && version == 13000);
    CHECK(fake_driver.init == 1 && fake_driver.contexts == 2 + reentered);
    CHECK(engine()->attached == 1);
    CHECK(engine()->hooked == 2);
    CHECK(lies_in((void*)&cuCtxSetCurrent, "libration.so"));
    return 0;
}
