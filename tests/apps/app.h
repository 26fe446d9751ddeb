/* What all small programs do once they have the driver: take the first device's primary context,
 * allocate, and report. Each program gets at the driver by another route. */
#pragma once

#include <cuda.h>

/* Names are expanded before they are pasted, so that cuMemAlloc means the header's cuMemAlloc_v2.
 */
#define APP_CALLS(CALL)             \
    CALL(cuInit)                    \
    CALL(cuDeviceGetCount)          \
    CALL(cuDeviceGet)               \
    CALL(cuDeviceGetName)           \
    CALL(cuDeviceGetUuid)           \
    CALL(cuDeviceGetAttribute)      \
    CALL(cuDevicePrimaryCtxRetain)  \
    CALL(cuDevicePrimaryCtxRelease) \
    CALL(cuCtxSetCurrent)           \
    CALL(cuMemGetInfo)              \
    CALL(cuMemAlloc)                \
    CALL(cuMemFree)

#define APP_FIELD(name) __typeof__(&name) name;
struct driver {
    APP_CALLS(APP_FIELD)
};

/* The name of the symbol: after the header's macros. */
#define APP_NAME(name) APP_QUOTE(name)
#define APP_QUOTE(name) #name

/* Prints one line of JSON on stdout and returns the exit status: 0, or 1 if a call failed, which is
 * then named in the line. `--hold` waits for the end of stdin before it gives the context back. */
int app_main(const struct driver* driver, const char* route, int argc, char** argv);
