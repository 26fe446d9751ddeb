/* Many threads in the first calls of both vendors at once: one decision each, and nobody gets past
 * them. */
#include <linux/ioctl.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "fake/hip.h"
#include "scenario.h"

enum { kThreads = 32 };
static pthread_barrier_t start;

static void* first_call(void* number) {
    void* stream = NULL;
    const int kfd = fake_kfd();
    pthread_barrier_wait(&start);
    switch ((long)number % 4) {
        case 0:
            CHECK(hipStreamCreateWithFlags(&stream, 0) == 0);
            break;
        case 1:
            CHECK(hsa_init() == 0);
            break;
        case 2:
            CHECK(ioctl(kfd, _IOR('K', 1, int[2]), NULL) == 0);
            break;
        default:
            CHECK(cuInit(0) == 0);
    }
    close(kfd);
    return NULL;
}

int main(void) {
    pthread_t threads[kThreads];
    alarm(60);
    pthread_barrier_init(&start, NULL, kThreads);
    for (long i = 0; i < kThreads; ++i) {
        CHECK(pthread_create(&threads[i], NULL, first_call, (void*)i) == 0);
    }
    for (int i = 0; i < kThreads; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(engine()->installed == 1 && engine()->amd_installed == 1);
    CHECK(engine()->hooked == kThreads / 4);
    CHECK(engine()->amd_hooked == kThreads / 2);
    CHECK(engine()->amd_ioctls == kThreads / 2); /* a quarter's own, and hsa_init's */
    return 0;
}
