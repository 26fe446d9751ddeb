/* A thread that is to be cancelled makes the first call: it is not stopped in the middle of the
 * decision, is cancelled afterwards, and leaves nothing that others would wait for. */
#include <pthread.h>

#include "scenario.h"

static pthread_barrier_t asked;

static void* to_be_cancelled(void* unused) {
    int state = 0;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    pthread_barrier_wait(&asked);
    pthread_barrier_wait(&asked);
    pthread_setcancelstate(state, &state);
    CHECK(cuInit(0) == 0); /* the engine comes to a cancellation point in its attach */
    pthread_testcancel();
    return unused;
}

static void* another(void* unused) {
    CHECK(cuInit(0) == 0);
    return unused;
}

int main(void) {
    pthread_t thread;
    void* result = NULL;
    alarm(20);
    pthread_barrier_init(&asked, NULL, 2);
    CHECK(pthread_create(&thread, NULL, to_be_cancelled, NULL) == 0);
    pthread_barrier_wait(&asked);
    CHECK(pthread_cancel(thread) == 0);
    pthread_barrier_wait(&asked);
    CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    CHECK(pthread_create(&thread, NULL, another, NULL) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(engine()->installed == 1 && engine()->hooked == 2);
    return 0;
}
