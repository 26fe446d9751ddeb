/* Streams that bring a queue of their own. Says that it is ready; for each byte that it reads it
 * makes a stream and prints how long hipStreamCreate took, in ns of wall time. The stream goes
 * before the next one is made, and its queue with it: HIP would share the fifth of a priority. */
#define __HIP_PLATFORM_AMD__ 1
#include <hip/hip_runtime_api.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(void) {
    hipStream_t stream = NULL;
    char byte;
    if (hipInit(0) != hipSuccess || hipStreamSynchronize(NULL) != hipSuccess) return 1;
    if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 1;
    while (read(STDIN_FILENO, &byte, 1) == 1) {
        if (stream != NULL && hipStreamDestroy(stream) != hipSuccess) return 1;
        const long long begin = now();
        if (hipStreamCreate(&stream) != hipSuccess) return 1;
        printf("%lld\n", now() - begin);
        fflush(stdout);
    }
    return 0;
}
