// libcuda.so.1 as a program finds it: dlopen and dlsym, real or simulated.
#pragma once
#ifndef __CUDA_API_VERSION_INTERNAL
#define __CUDA_API_VERSION_INTERNAL 1
#endif
#include <cuda.h>
#undef cuGetProcAddress_v2
#include <cstring>

namespace gpu {

struct Cuda {
    // Ends the process with a line on stderr if there is no libcuda.so.1.
    Cuda();
    void* symbol(const char* name) const;

    void* handle;
// One that the driver lacks is null.
#define GPU_ENTRY(name) decltype(&::name) name;
#include "tests/gpu/support/entries.def"
#undef GPU_ENTRY
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
