// Compiled by hipcc: a launch on the null stream and on one of its own, and a cooperative one.
#include <hip/hip_runtime.h>

#include <cstdio>

__global__ void increment(int* numbers, int count) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < count) numbers[i] += 1;
}

static int failures = 0;

static void check(const char* what, hipError_t error) {
    if (error == hipSuccess) return;
    std::printf("%s{\"call\": \"%s\", \"error\": \"%s\"}", failures++ == 0 ? "" : ", ", what,
                hipGetErrorName(error));
}

int main() {
    constexpr int kThreads = 256;
    int count = 4096;
    int* numbers = nullptr;
    hipStream_t stream = nullptr;
    int multiprocessors = 0;
    int blocks = 0;
    std::printf("{\"route\": \"hipcc\", \"failed\": [");
    check("hipMalloc", hipMalloc(reinterpret_cast<void**>(&numbers), sizeof *numbers * 4096));
    check("hipStreamCreateWithFlags", hipStreamCreateWithFlags(&stream, hipStreamNonBlocking));
    increment<<<16, kThreads>>>(numbers, count);
    check("launch", hipGetLastError());
    increment<<<32, kThreads, 0, stream>>>(numbers, count);
    check("launch on a stream", hipGetLastError());
    check("hipDeviceGetAttribute",
          hipDeviceGetAttribute(&multiprocessors, hipDeviceAttributeMultiprocessorCount, 0));
    check("hipOccupancyMaxActiveBlocksPerMultiprocessor",
          hipOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, increment, kThreads, 0));
    void* arguments[] = {&numbers, &count};
    const auto cooperative = [&](unsigned grid) {
        return hipLaunchCooperativeKernel(reinterpret_cast<const void*>(increment), dim3(grid),
                                          dim3(kThreads), arguments, 0, stream);
    };
    // As many blocks as can be resident at once, and one more than that.
    const auto resident = static_cast<unsigned>(blocks * multiprocessors);
    check("hipLaunchCooperativeKernel", cooperative(resident));
    const hipError_t too_many = cooperative(resident + 1);
    check("hipDeviceSynchronize", hipDeviceSynchronize());
    std::printf("], \"multiprocessors\": %d, \"blocks\": %d, \"too_many\": \"%s\"}\n",
                multiprocessors, blocks, hipGetErrorName(too_many));
    return failures == 0 ? 0 : 1;
}
