/* The first context of a process. Prints what it took beside cuInit: CPU time and wall time in ns,
 * growth of the resident set and of the device memory in use in bytes. */
#include <cuda.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static long long now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long resident(void) {
    long long size = 0;
    long long pages = 0;
    FILE* file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lld %lld", &size, &pages) != 2) return -1;
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

int main(void) {
    CUcontext context;
    CUdeviceptr memory;
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    if (cuInit(0) != CUDA_SUCCESS) return 1;
    const long long resident_before = resident();
    const long long wall = now(CLOCK_MONOTONIC);
    const long long cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    if (cuDevicePrimaryCtxRetain(&context, 0) != CUDA_SUCCESS ||
        cuCtxSetCurrent(context) != CUDA_SUCCESS || cuMemAlloc(&memory, 1) != CUDA_SUCCESS) {
        return 1;
    }
    const long long cpu_end = now(CLOCK_PROCESS_CPUTIME_ID);
    const long long wall_end = now(CLOCK_MONOTONIC);
    const long long resident_end = resident();
    if (cuMemGetInfo(&free_bytes, &total_bytes) != CUDA_SUCCESS) return 1;
    printf("%lld %lld %lld %zu\n", cpu_end - cpu, wall_end - wall, resident_end - resident_before,
           total_bytes - free_bytes);
    return 0;
}
