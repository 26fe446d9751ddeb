// On which SMs a program's kernels run, and how a program here ends when a call fails.
#pragma once
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>

inline void must(int code, const char* what) {
    if (code == 0) return;
    std::printf("{\"error\": %d, \"at\": \"%s\"}\n", code, what);
    std::exit(1);
}
#define MUST(call) must((call), #call)

struct Sms {
    static constexpr int kWords = 8;
    unsigned words[kWords];

    int count() const {
        int sum = 0;
        for (const unsigned word : words) sum += __builtin_popcount(word);
        return sum;
    }
};

// Holds each SM long enough that every one in reach gets a block.
__global__ void note_sm(Sms* seen) {
    unsigned sm;
    asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
    if (threadIdx.x == 0) atomicOr(&seen->words[sm / 32], 1u << (sm % 32));
    const long long start = clock64();
    while (clock64() - start < 200000) {
    }
}

// Of the current device, by a launch on `stream`.
inline Sms distinct_sms(cudaStream_t stream = nullptr) {
    Sms seen{};
    Sms* there;
    MUST(cudaMalloc(&there, sizeof seen));
    MUST(cudaMemset(there, 0, sizeof seen));
    MUST(cudaDeviceSynchronize());
    note_sm<<<2048, 64, 0, stream>>>(there);
    MUST(cudaGetLastError());
    MUST(cudaDeviceSynchronize());
    MUST(cudaMemcpy(&seen, there, sizeof seen, cudaMemcpyDeviceToHost));
    MUST(cudaFree(there));
    return seen;
}

inline int told_sms(int device) {
    int count = 0;
    MUST(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device));
    return count;
}
