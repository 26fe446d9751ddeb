// A CUDA runtime program with the runtime linked in statically (nvcc's default). One JSON line: the
// SM count it is told, the distinct SMs its blocks ran on, and what two allocations gave.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>

// Many more blocks than SMs, each busy long enough that every SM in reach gets some.
__global__ void note_sm(unsigned* mask) {
    unsigned sm;
    asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
    if (threadIdx.x == 0) atomicOr(&mask[sm / 32], 1u << (sm % 32));
    const long long start = clock64();
    while (clock64() - start < 200000) {
    }
}

static void check(cudaError_t error) {
    if (error == cudaSuccess) return;
    std::printf("{\"error\": %d, \"text\": \"%s\"}\n", error, cudaGetErrorString(error));
    std::exit(1);
}

static int try_to_allocate(size_t bytes) {
    void* memory = nullptr;
    const cudaError_t error = cudaMalloc(&memory, bytes);
    if (error == cudaSuccess) cudaFree(memory);
    (void)cudaGetLastError();
    return error;
}

int main(int count, char** arguments) {
    constexpr int kWords = 16;
    unsigned mask[kWords] = {};
    unsigned* device_mask = nullptr;
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, 0));
    check(cudaMalloc(&device_mask, sizeof mask));
    check(cudaMemset(device_mask, 0, sizeof mask));
    note_sm<<<2048, 64>>>(device_mask);
    check(cudaMemcpy(mask, device_mask, sizeof mask, cudaMemcpyDeviceToHost));
    int distinct = 0;
    for (const unsigned word : mask) distinct += __builtin_popcount(word);
    const size_t small = count > 1 ? std::strtoull(arguments[1], nullptr, 10) << 20 : 1;
    const size_t large = count > 2 ? std::strtoull(arguments[2], nullptr, 10) << 20 : 1;
    std::printf("{\"sms\": %d, \"distinct\": %d, \"small\": %d, \"large\": %d}\n",
                properties.multiProcessorCount, distinct, try_to_allocate(small),
                try_to_allocate(large));
}
