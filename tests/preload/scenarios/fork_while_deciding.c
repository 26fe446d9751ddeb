/* A child that is forked while another thread of its parent is in the middle of the decision must
 * neither wait for that thread, which it does not have, nor inherit half a decision. (The fork
 * waits for the decision, which waits for this thread here: until patience is at its end.) */
#include "scenario.h"

static void* decide(void* unused) {
    (void)unused;
    CHECK(cuInit(0) == 0);
    return NULL;
}

int main(void) {
    struct Held held;
    hold_decision(&held, decide);
    const pid_t child = fork();
    if (child == 0) {
        setenv("FAKE_ENGINE", "hook", 1);
        alarm(20);
        CHECK(cuInit(0) == 0);
        CHECK(engine()->hooked == 1);
        _exit(0);
    }
    CHECK(exit_status_of(child) == 0);
    let_go(&held);
    CHECK(engine()->attached == 1 && engine()->hooked == 1);
    return 0;
}
