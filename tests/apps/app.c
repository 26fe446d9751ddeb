#include "tests/apps/app.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { kAllocation = 64 << 20 };

static int failed(const char* route, const char* call, CUresult result) {
    printf("{\"app\":\"%s\",\"failed\":\"%s\",\"error\":%d}\n", route, call, (int)result);
    return 1;
}

static void wait_for_end_of_input(void) {
    char byte;
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
}

#define APP_TRY(call, ...)                                \
    do {                                                  \
        CUresult result = driver->call(__VA_ARGS__);      \
        if (result != CUDA_SUCCESS) {                     \
            return failed(route, APP_NAME(call), result); \
        }                                                 \
    } while (0)
int app_main(const struct driver* driver, const char* route, int argc, char** argv) {
    const int hold = argc > 1 && strcmp(argv[1], "--hold") == 0;
    char name[128];
    int devices = 0;
    int sms = 0;
    CUdevice device;
    CUcontext context;
    CUdeviceptr memory;
    size_t total;
    size_t before;
    size_t after;

    APP_TRY(cuInit, 0);
    APP_TRY(cuDeviceGetCount, &devices);
    APP_TRY(cuDeviceGet, &device, 0);
    APP_TRY(cuDeviceGetName, name, (int)sizeof name, device);
    APP_TRY(cuDeviceGetAttribute, &sms, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device);
    APP_TRY(cuDevicePrimaryCtxRetain, &context, device);
    APP_TRY(cuCtxSetCurrent, context);
    APP_TRY(cuMemGetInfo, &before, &total);
    APP_TRY(cuMemAlloc, &memory, kAllocation);
    APP_TRY(cuMemGetInfo, &after, &total);
    printf(
        "{\"app\":\"%s\",\"pid\":%ld,\"devices\":%d,\"name\":\"%s\",\"sms\":%d,"
        "\"memory_total\":%zu,\"memory_free\":%zu,\"memory_free_after_64_mib\":%zu}\n",
        route, (long)getpid(), devices, name, sms, total, before, after);
    if (hold) {
        wait_for_end_of_input();
    }
    APP_TRY(cuMemFree, memory);
    APP_TRY(cuDevicePrimaryCtxRelease, device);
    return 0;
}
