/* Many threads in the first call at once: one decision, and nobody gets past it. */
#include <pthread.h>

#include "scenario.h"

enum { kThreads = 32 };
static pthread_barrier_t start;

static void* first_call(void* unused) {
    (void)unused;
    pthread_barrier_wait(&start);
    CHECK(cuCtxSetCurrent(NULL) == 0);
    CHECK(cuInit(0) == 0);
    return NULL;
}

int main(void) {
    pthread_t threads[kThreads];
    pthread_barrier_init(&start, NULL, kThreads);
    for (int i = 0; i < kThreads; ++i)
        CHECK(pthread_create(&threads[i], NULL, first_call, NULL) == 0);
    for (int i = 0; i < kThreads; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(engine()->installed == 1);
    CHECK(engine()->hooked == 2 * kThreads);
    return 0;
}
