/* A child may have its parent's process id, in a PID namespace of its own. It decides for itself.
 */
#include "scenario.h"

__attribute__((visibility("default"))) pid_t getpid(void) {
    return 4242;
} /* as libration.so sees it, in parent and child */

int main(void) {
    setenv("FAKE_DRIVER_INIT_FAILS", "1", 1);
    setenv("FAKE_ENGINE", "pass", 1);
    CHECK(cuInit(0) == 100);
    const pid_t child = fork();
    if (child == 0) {
        setenv("FAKE_ENGINE", "hook", 1);
        CHECK(cuInit(0) == 100);
        CHECK(engine()->installed == 1 && engine()->hooked == 1);
        _exit(0);
    }
    CHECK(exit_status_of(child) == 0);
    return 0;
}
