/* Many processes at once, each in its first calls with several threads that fork in the middle of
 * them: everybody comes to one decision of his own and to an end. */
#include <pthread.h>

#include "fake/hip.h"
#include "scenario.h"

enum { kChildren = 100, kThreads = 4 };

static void first_calls(long number) {
    void* stream = NULL;
    if (number % 2 == 0) CHECK(hipStreamCreate(&stream) == 0);
    CHECK(hsa_init() == 0);
    CHECK(engine()->amd_ioctls > 0);
}

static void* thread(void* number) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        first_calls((long)number);
        _exit(0);
    }
    first_calls((long)number);
    CHECK(exit_status_of(child) == 0);
    return NULL;
}

int main(void) {
    static pid_t children[kChildren];
    alarm(100);
    for (long i = 0; i < kChildren; ++i) {
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i] != 0) continue;
        pthread_t threads[kThreads];
        for (long k = 0; k < kThreads; ++k) {
            CHECK(pthread_create(&threads[k], NULL, thread, (void*)(i + k)) == 0);
        }
        for (int k = 0; k < kThreads; ++k) CHECK(pthread_join(threads[k], NULL) == 0);
        _exit(0);
    }
    for (int i = 0; i < kChildren; ++i) CHECK(exit_status_of(children[i]) == 0);
    return 0;
}
