/* The first GPU call of a process. Says that it is ready, waits for a byte, so that many can set
 * out together, and prints: cuInit's result, its CPU time in ns (all threads of the process), and
 * when it began and ended, in ns of CLOCK_MONOTONIC. Lives until the end of its input, so that
 * nobody's end is measured with another's beginning. */
#include <cuda.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static long long now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(void) {
    char byte;
    if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 1;
    if (read(STDIN_FILENO, &byte, 1) != 1) return 1;
    const long long begin = now(CLOCK_MONOTONIC);
    const long long cpu_begin = now(CLOCK_PROCESS_CPUTIME_ID);
    const CUresult result = cuInit(0);
    const long long cpu_end = now(CLOCK_PROCESS_CPUTIME_ID);
    const long long end = now(CLOCK_MONOTONIC);
    printf("%d %lld %lld %lld\n", (int)result, cpu_end - cpu_begin, begin, end);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return 0;
}
