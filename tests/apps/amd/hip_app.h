/* What a HIP program without kernels does: streams of every kind, copies, events, memory. Each
 * program gets at HIP by another route. */
#pragma once

#include <hip/hip_runtime_api.h>

#define HIP_APP_CALLS(CALL)               \
    CALL(hipInit)                         \
    CALL(hipGetDeviceCount)               \
    CALL(hipSetDevice)                    \
    CALL(hipDeviceGetName)                \
    CALL(hipDeviceGetAttribute)           \
    CALL(hipDeviceGetPCIBusId)            \
    CALL(hipMemGetInfo)                   \
    CALL(hipMalloc)                       \
    CALL(hipFree)                         \
    CALL(hipMemcpy)                       \
    CALL(hipMemcpyAsync)                  \
    CALL(hipDeviceGetStreamPriorityRange) \
    CALL(hipStreamCreate)                 \
    CALL(hipStreamCreateWithFlags)        \
    CALL(hipStreamCreateWithPriority)     \
    CALL(hipExtStreamCreateWithCUMask)    \
    CALL(hipExtStreamGetCUMask)           \
    CALL(hipStreamGetFlags)               \
    CALL(hipStreamGetPriority)            \
    CALL(hipStreamSynchronize)            \
    CALL(hipStreamWaitEvent)              \
    CALL(hipStreamDestroy)                \
    CALL(hipEventCreate)                  \
    CALL(hipEventRecord)                  \
    CALL(hipEventDestroy)                 \
    CALL(hipDeviceSynchronize)            \
    CALL(hipGetErrorName)

#define HIP_APP_FIELD(name) __typeof__(&name) name;
struct hip {
    HIP_APP_CALLS(HIP_APP_FIELD)
};

/* Prints one line of JSON on stdout: what every call that failed said, the devices, the streams of
 * the first device. Returns 0, or 1 if a call failed. Goes on after a failure, as programs that do
 * not look do.
 *   --init           calls hipInit first; otherwise the first call is hipGetDeviceCount
 *   --mask 0x...     of the stream with a CU mask, default 0xffff
 *   --streams N      so many streams by hipStreamCreate, default 1
 *   --allocate MIB   allocates that at the end
 *   --device N       works on that device, default 0
 *   --look-from N    is on that device when it looks at its streams
 *   --hold           waits for the end of stdin before it ends */
int hip_app_main(const struct hip* hip, const char* route, int argc, char** argv);
