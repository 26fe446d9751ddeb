/* The first context of a process, stage by stage: a line of numbers. Wall time in ns of cuInit, of
 * the primary context made current, of the first allocation, of the first stream and of the first
 * blocking one; CPU time in ns of all but cuInit; the resident set and the device memory in use
 * then, in bytes; the SMs that the program is told of.
 *
 * usage: first_context [hold | by-hand SMS]
 * With `hold` it keeps the context until its input ends. With `by-hand` it makes a green context of
 * that many SMs and works there, as a program may that asks for a part of the GPU by itself. */
#include <cuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { kStages = 5 };

static long long now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long resident(void) {
    long long size = 0;
    long long pages = 0;
    FILE* file = fopen("/proc/self/statm", "r");
    if (file == NULL) return -1;
    if (fscanf(file, "%lld %lld", &size, &pages) != 2) pages = 0;
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static CUresult green(CUdevice device, unsigned sms) {
    CUdevResource all;
    CUdevResource part;
    CUdevResourceDesc description;
    CUgreenCtx made;
    CUcontext context;
    unsigned groups = 1;
    CUresult result = cuDeviceGetDevResource(device, &all, CU_DEV_RESOURCE_TYPE_SM);
    if (result == CUDA_SUCCESS) {
        result = cuDevSmResourceSplitByCount(&part, &groups, &all, NULL, 0, sms);
    }
    if (result == CUDA_SUCCESS) result = cuDevResourceGenerateDesc(&description, &part, 1);
    if (result == CUDA_SUCCESS) {
        result = cuGreenCtxCreate(&made, description, device, CU_GREEN_CTX_DEFAULT_STREAM);
    }
    if (result == CUDA_SUCCESS) result = cuCtxFromGreenCtx(&context, made);
    return result == CUDA_SUCCESS ? cuCtxSetCurrent(context) : result;
}

static CUresult stage(int number, unsigned sms) {
    CUcontext context;
    CUdeviceptr memory;
    CUstream stream;
    CUresult result;
    switch (number) {
        case 0:
            return cuInit(0);
        case 1:
            result = cuDevicePrimaryCtxRetain(&context, 0);
            if (result != CUDA_SUCCESS) return result;
            return sms == 0 ? cuCtxSetCurrent(context) : green(0, sms);
        case 2:
            return cuMemAlloc(&memory, 1);
        case 3:
            return cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING);
        default:
            return cuStreamCreate(&stream, CU_STREAM_DEFAULT);
    }
}

static int report(const long long* wall, long long cpu) {
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    int sms = 0;
    const long long bytes = resident();
    if (cuMemGetInfo(&free_bytes, &total_bytes) != CUDA_SUCCESS) return 1;
    if (cuDeviceGetAttribute(&sms, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 0) != CUDA_SUCCESS)
        return 1;
    for (int i = 0; i < kStages; ++i) printf("%lld ", wall[i]);
    printf("%lld %lld %zu %d\n", cpu, bytes, total_bytes - free_bytes, sms);
    fflush(stdout);
    return 0;
}

int main(int count, char** arguments) {
    const unsigned sms =
        count > 2 && strcmp(arguments[1], "by-hand") == 0 ? (unsigned)atoi(arguments[2]) : 0;
    long long wall[kStages];
    long long cpu = 0;
    for (int i = 0; i < kStages; ++i) {
        if (i == 1) cpu = now(CLOCK_PROCESS_CPUTIME_ID);
        const long long begin = now(CLOCK_MONOTONIC);
        const CUresult result = stage(i, sms);
        wall[i] = now(CLOCK_MONOTONIC) - begin;
        if (result == CUDA_SUCCESS) continue;
        fprintf(stderr, "stage %d: error %d\n", i, result);
        return 1;
    }
    if (report(wall, now(CLOCK_PROCESS_CPUTIME_ID) - cpu) != 0) return 1;
    while (count > 1 && strcmp(arguments[1], "hold") == 0 && getchar() != EOF) continue;
    return 0;
}
