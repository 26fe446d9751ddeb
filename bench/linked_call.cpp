// A driver call that needs no hook: as the program has it linked, and at the driver's own address.
// Run once bare and once preloaded, the difference of the differences is what the preloaded slot
// adds.
#include <benchmark/benchmark.h>
#include <cuda.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstring>

namespace {

using SetCurrent = decltype(&cuCtxSetCurrent);

// After the decision dlsym hands out the driver's own address.
SetCurrent driver_address() {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    void* address = driver != nullptr ? dlsym(driver, "cuCtxSetCurrent") : nullptr;
    Dl_info info;
    if (address == nullptr || dladdr(address, &info) == 0) return nullptr;
    return std::strstr(info.dli_fname, "libcuda.so") != nullptr
               ? reinterpret_cast<SetCurrent>(address)
               : nullptr;
}

void linked(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(cuCtxSetCurrent(nullptr));
}

void driver(benchmark::State& state) {
    SetCurrent function = driver_address();
    if (function == nullptr) return state.SkipWithError("the driver's own address is hidden");
    for (auto _ : state) benchmark::DoNotOptimize(function(nullptr));
}

}  // namespace

int main(int argc, char** argv) {
    if (cuInit(0) != CUDA_SUCCESS || cuCtxSetCurrent(nullptr) != CUDA_SUCCESS) {
        std::fputs("linked_call: no driver\n", stderr);
        return 1;
    }
    benchmark::RegisterBenchmark("linked", linked);
    benchmark::RegisterBenchmark("driver", driver);
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
