/* A child that is born while a thread of its parent is in the middle of the decision forks as fast
 * as ever, whichever way it was made. (The alarm would come if each fork waited until patience is
 * at its end.) */
#include <pthread.h>
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
    int says[2];
    int waits[2];
    char number[16];
    char byte = 0;
    CHECK(pipe(says) == 0 && pipe(waits) == 0);
    snprintf(number, sizeof number, "%d", says[1]);
    setenv("FAKE_ENGINE_SAYS", number, 1);
    snprintf(number, sizeof number, "%d", waits[0]);
    setenv("FAKE_ENGINE_WAITS", number, 1);
    setenv("FAKE_ENGINE", "wait", 1);

    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, decide, NULL) == 0);
    CHECK(read(says[0], &byte, 1) == 1); /* the engine is being attached now */
    const pid_t forked = fork();
    if (forked == 0) fork_often();
    const pid_t cloned = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (cloned == 0) fork_often();
    CHECK(exit_status_of(forked) == 0 && exit_status_of(cloned) == 0);
    CHECK(write(waits[1], "g", 1) == 1);
    CHECK(pthread_join(thread, NULL) == 0);
    return 0;
}
