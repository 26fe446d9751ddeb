/* A child that is forked before its parent's first call decides for itself; one that is forked
 * after a successful cuInit gets the driver's own refusal (3), as without us. */
#include "scenario.h"

int main(void) {
    pid_t child = fork();
    if (child == 0) {
        CHECK(cuInit(0) == 0);
        CHECK(engine()->attached == 1 && engine()->hooked == 1);
        setenv("FAKE_ENGINE", "pass", 1);
        child = fork();
        if (child == 0) {
            CHECK(cuCtxPushCurrent(NULL) == 0); /* the first of its kind decides, too */
            CHECK(engine()->attached == 2);
            CHECK(cuCtxSetCurrent(NULL) == 0 && engine()->hooked == 1); /* and takes hooks away */
            _exit(0);
        }
        CHECK(exit_status_of(child) == 0);
        _exit(0);
    }
    CHECK(exit_status_of(child) == 0);
    CHECK(!is_mapped("libration-engine.so"));

    /* A failed cuInit decides for the parent alone. */
    setenv("FAKE_DRIVER_INIT_FAILS", "1", 1);
    setenv("FAKE_ENGINE", "pass", 1);
    CHECK(cuInit(0) == 100);
    child = fork();
    if (child == 0) {
        unsetenv("FAKE_DRIVER_INIT_FAILS");
        setenv("FAKE_ENGINE", "hook", 1);
        CHECK(cuInit(0) == 0);
        CHECK(engine()->attached == 2); /* the parent's and the child's own */
        CHECK(engine()->hooked == 1);
        _exit(0);
    }
    CHECK(exit_status_of(child) == 0);

    unsetenv("FAKE_DRIVER_INIT_FAILS");
    CHECK(cuInit(0) == 0);
    child = fork();
    if (child == 0) _exit(cuInit(0));
    CHECK(exit_status_of(child) == 3);
    return 0;
}
