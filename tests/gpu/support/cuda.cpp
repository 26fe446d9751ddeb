#include "tests/gpu/support/cuda.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>

namespace gpu {

Cuda::Cuda() : handle(dlopen("libcuda.so.1", RTLD_NOW)) {
    if (handle == nullptr) {
        std::fprintf(stderr, "%s\n", dlerror());
        _exit(3);
    }
#define GPU_ENTRY(name) name = reinterpret_cast<decltype(&::name)>(dlsym(handle, #name));
#include "tests/gpu/support/entries.def"
#undef GPU_ENTRY
}

void* Cuda::symbol(const char* name) const { return dlsym(handle, name); }

}  // namespace gpu
