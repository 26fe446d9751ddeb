/* Streams that bring a queue of their own: HIP makes four of a priority before it shares them, and
 * the null stream's is the first. Prints the wall time of hipStreamCreate for each of three, in ns.
 */
#define __HIP_PLATFORM_AMD__ 1
#include <hip/hip_runtime_api.h>
#include <stdio.h>
#include <time.h>

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(void) {
    hipStream_t streams[3];
    if (hipInit(0) != hipSuccess || hipStreamSynchronize(NULL) != hipSuccess) return 1;
    for (int i = 0; i < 3; ++i) {
        const long long begin = now();
        if (hipStreamCreate(&streams[i]) != hipSuccess) return 1;
        printf("%lld\n", now() - begin);
    }
    return 0;
}
