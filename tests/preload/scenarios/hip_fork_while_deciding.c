/* A child that is forked while another thread of its parent is in the middle of the decision must
 * neither wait for that thread, which it does not have, nor inherit half a decision; and other
 * vendors' calls do not wait for it. */
#include "fake/hip.h"
#include "scenario.h"

static void* decide(void* unused) {
    (void)unused;
    CHECK(hsa_init() == 0);
    return NULL;
}

int main(void) {
    struct Held held;
    alarm(60);
    hold_decision(&held, decide);
    const pid_t child = fork();
    if (child == 0) {
        setenv("FAKE_ENGINE", "hook", 1);
        alarm(20);
        CHECK(hsa_init() == 0);
        CHECK(engine()->amd_hooked == 1 && engine()->amd_ioctls == 1);
        _exit(0);
    }
    CHECK(exit_status_of(child) == 0);
    setenv("FAKE_ENGINE", "hook", 1);
    CHECK(cuInit(0) == 0 && engine()->attached == 1);
    let_go(&held);
    CHECK(engine()->amd_attached == 1 && engine()->amd_hooked == 1);
    return 0;
}
