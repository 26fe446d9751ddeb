/* A child decides for itself: before its parent's first call, and after one by which nothing is
 * hooked and nothing is initialised. */
#include "fake/hip.h"
#include "scenario.h"

static void child_decides(int attached) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(20);
        setenv("FAKE_ENGINE", "hook", 1);
        CHECK(hipInit(0) == 0);
        CHECK(engine()->amd_attached == attached);
        CHECK(engine()->amd_hooked == 2 && engine()->amd_ioctls == 1);
        _exit(0);
    }
    CHECK(exit_status_of(child) == 0);
}

int main(void) {
    alarm(60);
    child_decides(1);
    CHECK(!is_mapped("libration-engine.so"));

    void* pointer = NULL;
    setenv("FAKE_ENGINE", "pass", 1);
    CHECK(hipMalloc(&pointer, 0) == 100); /* fails before it initialises HSA */
    void* stream = NULL;
    CHECK(hipStreamCreate(&stream) == 0); /* decides: no hook */
    CHECK(engine()->amd_attached == 1 && engine()->amd_hooked == 0);
    child_decides(2);
    return 0;
}
