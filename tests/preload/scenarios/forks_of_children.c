/* A child that is born while a thread of its parent is in the middle of the decision forks as fast
 * as ever, whichever way it was made. (The alarm would come if each fork waited until patience is
 * at its end.) */
#include <signal.h>

#include "scenario.h"

enum { kForks = 20 };

static void* decide(void* unused) {
    (void)unused;
    CHECK(cuInit(0) == 0);
    return NULL;
}

static void fork_often(void) {
    alarm(20);
    for (int i = 0; i < kForks; ++i) {
        const pid_t child = fork();
        if (child == 0) _exit(0);
        CHECK(exit_status_of(child) == 0);
    }
    _exit(0);
}

int main(void) {
    struct Held held;
    hold_decision(&held, decide);
    const pid_t forked = fork();
    if (forked == 0) fork_often();
    const pid_t cloned = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (cloned == 0) fork_often();
    CHECK(exit_status_of(forked) == 0 && exit_status_of(cloned) == 0);
    let_go(&held);
    return 0;
}
