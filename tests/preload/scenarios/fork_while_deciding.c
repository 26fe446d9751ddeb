/* A child that is forked while another thread of its parent is in the middle of the decision must
 * neither wait for that thread, which it does not have, nor inherit half a decision. (The fork
 * waits for the decision, which waits for this thread here: until patience is at its end.) */
#include <pthread.h>

#include "scenario.h"

static void* decide(void* unused) {
    (void)unused;
    CHECK(cuInit(0) == 0);
    return NULL;
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
    const pid_t child = fork();
    if (child == 0) {
        setenv("FAKE_ENGINE", "hook", 1);
        alarm(20);
        CHECK(cuInit(0) == 0);
        CHECK(engine()->hooked == 1);
        _exit(0);
    }
    CHECK(exit_status_of(child) == 0);
    CHECK(write(waits[1], "g", 1) == 1);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(engine()->attached == 1 && engine()->hooked == 1);
    return 0;
}
