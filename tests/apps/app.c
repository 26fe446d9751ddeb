#include "tests/apps/app.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { kAllocation = 64 << 20 };

static int failed(const char* route, const char* call, CUresult result) {
    printf("{\"app\":\"%s\",\"failed\":\"%s\",\"error\":%d}\n", route, call, (int)result);
    return 1;
}

/* "GPU-" and the UUID as nvidia-smi prints it. */
static void format_uuid(const CUuuid* uuid, char* text) {
    text += sprintf(text, "GPU-");
    for (int i = 0; i < 16; ++i) {
        const char* dash = i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";
        text += sprintf(text, "%s%02x", dash, (unsigned char)uuid->bytes[i]);
    }
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
    char uuid_text[64];
    CUuuid uuid;
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
    APP_TRY(cuDeviceGetUuid, &uuid, device);
    APP_TRY(cuDeviceGetAttribute, &sms, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device);
    APP_TRY(cuDevicePrimaryCtxRetain, &context, device);
    APP_TRY(cuCtxSetCurrent, context);
    APP_TRY(cuMemGetInfo, &before, &total);
    APP_TRY(cuMemAlloc, &memory, kAllocation);
    APP_TRY(cuMemGetInfo, &after, &total);
    format_uuid(&uuid, uuid_text);
    printf(
        "{\"app\":\"%s\",\"pid\":%ld,\"devices\":%d,\"name\":\"%s\",\"uuid\":\"%s\",\"sms\":%d,"
        "\"memory_total\":%zu,\"memory_free\":%zu,\"memory_free_after_64_mib\":%zu}\n",
        route, (long)getpid(), devices, name, uuid_text, sms, total, before, after);
    if (hold) {
        wait_for_end_of_input();
    }
    APP_TRY(cuMemFree, memory);
    APP_TRY(cuDevicePrimaryCtxRelease, device);
    return 0;
}
