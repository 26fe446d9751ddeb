#include "tests/apps/amd/hip_app.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kBytes = 1 << 20, kMaskWords = 10, kMaxStreams = 64 };

struct options {
    int init;
    int hold;
    int device;
    int look_from; /* -1: where it works */
    int streams;
    uint32_t mask[kMaskWords];
    size_t allocate_mib;
};

struct run {
    const struct hip* hip;
    int failures;
};

/* Written at once, so that a line is there even if a later call crashes. */
static hipError_t check(struct run* run, const char* call, hipError_t error) {
    if (error == hipSuccess) return error;
    printf("%s{\"call\": \"%s\", \"error\": \"%s\"}", run->failures++ == 0 ? "" : ", ", call,
           run->hip->hipGetErrorName(error));
    fflush(stdout);
    return error;
}
#define TRY(call, ...) check(run, #call, run->hip->call(__VA_ARGS__))

/* "0x..." of any length into words, the lowest first. */
static void read_mask(const char* text, uint32_t* words) {
    memset(words, 0, kMaskWords * sizeof *words);
    size_t digits = strlen(text);
    for (size_t i = 0; i < digits && text[digits - 1 - i] != 'x'; ++i) {
        const char digit[2] = {text[digits - 1 - i], '\0'};
        if (i / 8 < kMaskWords) {
            words[i / 8] |= (uint32_t)strtoul(digit, NULL, 16) << (i % 8 * 4);
        }
    }
}

static struct options read_options(int argc, char** argv) {
    struct options options = {.look_from = -1, .streams = 1, .mask = {0xffff}};
    for (int i = 1; i < argc; ++i) {
        const char* value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--init") == 0) options.init = 1;
        if (strcmp(argv[i], "--hold") == 0) options.hold = 1;
        if (strcmp(argv[i], "--mask") == 0) read_mask(value, options.mask);
        if (strcmp(argv[i], "--streams") == 0) options.streams = atoi(value);
        if (strcmp(argv[i], "--device") == 0) options.device = atoi(value);
        if (strcmp(argv[i], "--look-from") == 0) options.look_from = atoi(value);
        if (strcmp(argv[i], "--allocate") == 0) options.allocate_mib = strtoul(value, NULL, 10);
    }
    if (options.streams > kMaxStreams) options.streams = kMaxStreams;
    return options;
}

/* There and back on the null stream and on another one. 1 if the bytes are the same. */
static int round_trip(struct run* run, hipStream_t stream) {
    static unsigned char there[kBytes];
    static unsigned char back[kBytes];
    for (size_t i = 0; i < kBytes; ++i) there[i] = (unsigned char)(i * 7 + 1);
    void* device = NULL;
    TRY(hipMalloc, &device, kBytes);
    TRY(hipMemcpy, device, there, kBytes, hipMemcpyHostToDevice);
    TRY(hipMemcpyAsync, back, device, kBytes, hipMemcpyDeviceToHost, stream);
    TRY(hipStreamSynchronize, stream);
    TRY(hipFree, device);
    return memcmp(there, back, kBytes) == 0;
}

static void synchronize(struct run* run, hipStream_t first, hipStream_t second) {
    hipEvent_t event = NULL;
    TRY(hipEventCreate, &event);
    TRY(hipEventRecord, event, first);
    TRY(hipStreamWaitEvent, second, event, 0);
    TRY(hipStreamSynchronize, second);
    TRY(hipEventDestroy, event);
    TRY(hipDeviceSynchronize);
}

struct stream_report {
    const char* kind;
    hipStream_t stream;
    hipError_t error;
    unsigned flags;
    int priority;
    uint32_t mask[kMaskWords];
};

static void look_at(struct run* run, struct stream_report* report) {
    if (report->error != hipSuccess) return;
    TRY(hipStreamGetFlags, report->stream, &report->flags);
    TRY(hipStreamGetPriority, report->stream, &report->priority);
    TRY(hipExtStreamGetCUMask, report->stream, kMaskWords, report->mask);
}

static size_t create_streams(struct run* run, const struct options* options,
                             struct stream_report* reports) {
    size_t count = 0;
    for (int i = 0; i < options->streams; ++i) {
        struct stream_report* plain = &reports[count++];
        plain->kind = "plain";
        plain->error = TRY(hipStreamCreate, &plain->stream);
    }
    struct stream_report* flags = &reports[count++];
    flags->kind = "non-blocking";
    flags->error = TRY(hipStreamCreateWithFlags, &flags->stream, hipStreamNonBlocking);
    int least = 0;
    int greatest = 0;
    TRY(hipDeviceGetStreamPriorityRange, &least, &greatest);
    struct stream_report* priority = &reports[count++];
    priority->kind = "high priority";
    priority->error =
        TRY(hipStreamCreateWithPriority, &priority->stream, hipStreamDefault, greatest);
    struct stream_report* masked = &reports[count++];
    masked->kind = "masked";
    masked->error = TRY(hipExtStreamCreateWithCUMask, &masked->stream, kMaskWords, options->mask);
    return count;
}

static void print_streams(const struct stream_report* reports, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        const struct stream_report* report = &reports[i];
        printf("%s{\"kind\": \"%s\", \"made\": %s, \"flags\": %u, \"priority\": %d, \"mask\": \"0x",
               i == 0 ? "" : ", ", report->kind, report->error == hipSuccess ? "true" : "false",
               report->flags, report->priority);
        for (int word = kMaskWords - 1; word >= 0; --word) printf("%08x", report->mask[word]);
        printf("\"}");
    }
}

struct device_report {
    char name[64];
    char pci[16];
    int multiprocessors;
    size_t free_bytes;
    size_t total_bytes;
};

static int look_at_devices(struct run* run, struct device_report* devices, int limit) {
    int count = 0;
    TRY(hipGetDeviceCount, &count);
    for (int i = 0; i < count && i < limit; ++i) {
        struct device_report* device = &devices[i];
        TRY(hipDeviceGetName, device->name, sizeof device->name, i);
        TRY(hipDeviceGetPCIBusId, device->pci, sizeof device->pci, i);
        TRY(hipDeviceGetAttribute, &device->multiprocessors, hipDeviceAttributeMultiprocessorCount,
            i);
        TRY(hipSetDevice, i);
        TRY(hipMemGetInfo, &device->free_bytes, &device->total_bytes);
    }
    return count < limit ? count : limit;
}

int hip_app_main(const struct hip* hip, const char* route, int argc, char** argv) {
    enum { kMaxDevices = 16 };
    static struct device_report devices[kMaxDevices];
    static struct stream_report streams[kMaxStreams + 3];
    struct run state = {.hip = hip};
    struct run* run = &state;
    const struct options options = read_options(argc, argv);

    printf("{\"route\": \"%s\", \"failed\": [", route);
    if (options.init) TRY(hipInit, 0);
    const int count = look_at_devices(run, devices, kMaxDevices);
    size_t stream_count = 0;
    int equal = 0;
    if (count > 0) {
        TRY(hipSetDevice, options.device);
        stream_count = create_streams(run, &options, streams);
        if (options.look_from >= 0) TRY(hipSetDevice, options.look_from);
        for (size_t i = 0; i < stream_count; ++i) look_at(run, &streams[i]);
        TRY(hipSetDevice, options.device);
        equal = round_trip(run, streams[0].stream);
        synchronize(run, streams[stream_count - 1].stream, streams[0].stream);
    } else {
        /* A program that did not ask how many there are. */
        TRY(hipStreamCreate, &streams[0].stream);
    }
    void* memory = NULL;
    size_t left = 0;
    size_t total = 0;
    if (options.allocate_mib != 0) {
        TRY(hipMalloc, &memory, options.allocate_mib << 20);
        TRY(hipMemGetInfo, &left, &total);
    }

    printf("], \"equal\": %s, \"left\": %zu, \"devices\": [", equal ? "true" : "false", left);
    for (int i = 0; i < count; ++i) {
        printf(
            "%s{\"name\": \"%s\", \"pci\": \"%s\", \"multiprocessors\": %d, \"free\": %zu, "
            "\"total\": %zu}",
            i == 0 ? "" : ", ", devices[i].name, devices[i].pci, devices[i].multiprocessors,
            devices[i].free_bytes, devices[i].total_bytes);
    }
    printf("], \"streams\": [");
    print_streams(streams, stream_count);
    puts("]}");
    fflush(stdout);
    if (options.hold) {
        while (getchar() != EOF) {
        }
    }
    for (size_t i = 0; i < stream_count; ++i) {
        if (streams[i].stream != NULL) hip->hipStreamDestroy(streams[i].stream);
    }
    return state.failures == 0 ? 0 : 1;
}
