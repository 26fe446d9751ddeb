/* A linked HIP program. The library calls symbols of its own that are hooked: those calls go
 * straight on, and what it calls of another library is hooked there. NVIDIA is another decision. */
#include "fake/hip.h"
#include "scenario.h"

int main(void) {
    alarm(20);
    errno = 77;
    void* stream = NULL;
    CHECK(hipInit(0) == 0);
    CHECK(errno == 77);
    CHECK(fake_hip.init == 1 && fake_hsa.init == 1 && fake_hsa.requests == 1);
    CHECK(engine()->amd_attached == 1 && engine()->attached == 0);
    CHECK(engine()->amd_hooked == 2); /* hipInit and the hsa_init inside of it */
    CHECK(engine()->amd_ioctls == 1);

    CHECK(hipStreamCreate(&stream) == 0);
    CHECK(fake_hip.outside == 1 && fake_hip.streams == 1);
    CHECK(engine()->amd_hooked == 3 && engine()->amd_nested == 1);
    CHECK(hipStreamCreateWithFlags(&stream, 1) == 0);
    CHECK(engine()->amd_hooked == 4 && engine()->amd_nested == 1);

    /* Not hooked by this decision: the library's own. */
    size_t available = 0, total = 0;
    CHECK(hipMemGetInfo(&available, &total) == 0 && total == 1 << 20);
    CHECK(lies_in((void*)&hipInit, "libration.so"));
    CHECK(lies_in((void*)&hsa_init, "libration.so"));
    CHECK(errno == 77);
    CHECK(engine()->amd_attached == 1 && engine()->attached == 0);
    return 0;
}
