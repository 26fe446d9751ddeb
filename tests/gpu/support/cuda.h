// libcuda.so.1 as a program finds it: dlopen and dlsym, real or simulated.
#pragma once
#define __CUDA_API_VERSION_INTERNAL 1
#include <cuda.h>
#undef cuGetProcAddress_v2
#include <cstring>

namespace gpu {

// Every entry point that the tests use; one that the driver lacks is null.
#define GPU_ENTRIES(X)                                                                          \
    X(cuInit)                                                                                   \
    X(cuDriverGetVersion)                                                                       \
    X(cuGetErrorName)                                                                           \
    X(cuGetProcAddress) X(cuGetProcAddress_v2) X(cuDeviceGet) X(cuDeviceGetCount)               \
        X(cuDeviceGetName) X(cuDeviceGetAttribute) X(cuDeviceGetUuid_v2) X(cuDeviceTotalMem_v2) \
            X(cuDeviceGetPCIBusId) X(cuDevicePrimaryCtxRetain) X(cuDevicePrimaryCtxRelease_v2)  \
                X(cuDevicePrimaryCtxGetState) X(cuDevicePrimaryCtxReset_v2) X(cuCtxCreate_v2)   \
                    X(cuCtxCreate_v3) X(cuCtxCreate_v4) X(cuCtxDestroy_v2) X(cuCtxSetCurrent)   \
                        X(cuCtxGetCurrent) X(cuCtxPushCurrent_v2) X(cuCtxPopCurrent_v2)         \
                            X(cuCtxGetDevice) X(cuCtxGetExecAffinity) X(cuCtxSynchronize)       \
                                X(cuMemAlloc_v2) X(cuMemFree_v2) X(cuMemGetInfo_v2)             \
                                    X(cuMemcpyHtoD_v2) X(cuMemcpyDtoH_v2) X(cuMemsetD8_v2)      \
                                        X(cuStreamCreate) X(cuStreamDestroy_v2)                 \
                                            X(cuStreamGetFlags) X(cuStreamSynchronize)          \
                                                X(cuModuleLoadData) X(cuModuleGetFunction)      \
                                                    X(cuModuleUnload) X(cuLaunchKernel)

struct Cuda {
    // Ends the process with a line on stderr if there is no libcuda.so.1.
    Cuda();
    void* symbol(const char* name) const;

    void* handle;
#define GPU_SLOT(name) decltype(&::name) name;
    GPU_ENTRIES(GPU_SLOT)
#undef GPU_SLOT
};

// An enum of C may hold any number; one of C++ may not be read then. These may.
template <typename Enum>
unsigned number_of(const Enum& value) {
    unsigned number{};
    static_assert(sizeof number == sizeof value);
    std::memcpy(&number, &value, sizeof number);
    return number;
}
template <typename Enum>
void set_number(Enum& value, unsigned number) {
    static_assert(sizeof number == sizeof value);
    std::memcpy(&value, &number, sizeof number);
}

}  // namespace gpu
