/* A signal handler that leaves by siglongjmp while the decision is made leaves it whole: this
 * thread is confined afterwards, others need not wait, and all may be cancelled. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

#include "scenario.h"

static sigjmp_buf back;
static volatile sig_atomic_t caught;

static void jump(int signal) {
    (void)signal;
    caught = 1;
    siglongjmp(back, 1);
}

static void* another(void* unused) {
    (void)unused;
    CHECK(cuInit(0) == 0);
    return NULL;
}

int main(void) {
    pthread_t thread;
    int state = 0;
    alarm(20);
    CHECK(signal(SIGUSR1, jump) != SIG_ERR); /* which the engine raises in its attach */
    if (sigsetjmp(back, 1) == 0) cuInit(0);
    CHECK(caught);
    CHECK(cuInit(0) == 0);
    CHECK(engine()->installed == 1 && engine()->hooked == 1);
    CHECK(pthread_create(&thread, NULL, another, NULL) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(engine()->installed == 1 && engine()->hooked == 2);
    CHECK(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state) == 0 &&
          state == PTHREAD_CANCEL_ENABLE);
    return 0;
}
