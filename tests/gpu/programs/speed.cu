// How fast a share is. One JSON line: the SM count that the program is told, and the rate.
//
// usage: speed spin SECONDS | speed matmul SECONDS [SMS]
// spin: blocks that each hold an SM for a fixed number of cycles; launches of all of them per
// second. matmul: bf16 products of 8192 x 8192 by cuBLAS; TFLOP/s. With SMS it confines itself, by
// a green context written by hand, and tells cuBLAS.
#include <cublas_v2.h>
#include <cuda.h>
#include <cuda_runtime.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using Clock = std::chrono::steady_clock;

void must(bool good, const char* what) {
    if (good) return;
    std::printf("{\"error\": \"%s\"}\n", what);
    std::exit(1);
}
#define MUST(call) must((call) == 0, #call)

// One block an SM: the memory that it asks for leaves no room for another.
constexpr int kShared = 160 * 1024;
constexpr int kBlocks = 132 * 60;
constexpr long long kCycles = 40000;

__global__ void hold(long long cycles) {
    const long long start = clock64();
    while (clock64() - start < cycles) {
    }
}

template <class Work>
double per_second(double seconds, Work work) {
    work();
    MUST(cudaDeviceSynchronize());
    const auto begin = Clock::now();
    int done = 0;
    std::chrono::duration<double> gone{};
    for (; gone.count() < seconds; gone = Clock::now() - begin) {
        work();
        MUST(cudaDeviceSynchronize());
        ++done;
    }
    return done / gone.count();
}

double spin(double seconds) {
    MUST(cudaFuncSetAttribute(hold, cudaFuncAttributeMaxDynamicSharedMemorySize, kShared));
    return per_second(seconds, [] { hold<<<kBlocks, 64, kShared>>>(kCycles); });
}

void confine_by_hand(unsigned sms) {
    MUST(cuInit(0));
    CUcontext context;
    MUST(cuDevicePrimaryCtxRetain(&context, 0));
    CUdevResource all{};
    CUdevResource group{};
    MUST(cuDeviceGetDevResource(0, &all, CU_DEV_RESOURCE_TYPE_SM));
    unsigned groups = 1;
    MUST(cuDevSmResourceSplitByCount(&group, &groups, &all, nullptr, 0, sms));
    CUdevResourceDesc description;
    MUST(cuDevResourceGenerateDesc(&description, &group, 1));
    CUgreenCtx green;
    MUST(cuGreenCtxCreate(&green, description, 0, CU_GREEN_CTX_DEFAULT_STREAM));
    MUST(cuCtxFromGreenCtx(&context, green));
    MUST(cuCtxSetCurrent(context));
}

double matmul(double seconds, int sms) {
    constexpr int kSize = 8192;
    cublasHandle_t handle;
    MUST(cublasCreate(&handle));
    if (sms > 0) MUST(cublasSetSmCountTarget(handle, sms));
    void* matrices[3];
    for (void*& matrix : matrices) {
        MUST(cudaMalloc(&matrix, 2ull * kSize * kSize));
        MUST(cudaMemset(matrix, 0x3c, 2ull * kSize * kSize));
    }
    const float one = 1;
    const float zero = 0;
    const double rate = per_second(seconds, [&] {
        MUST(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, kSize, kSize, kSize, &one, matrices[0],
                          CUDA_R_16BF, kSize, matrices[1], CUDA_R_16BF, kSize, &zero, matrices[2],
                          CUDA_R_16BF, kSize, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
    });
    return rate * 2 * kSize * kSize * static_cast<double>(kSize) / 1e12;
}

}  // namespace

int main(int count, char** arguments) {
    must(count >= 3, "usage: speed spin|matmul SECONDS [SMS]");
    const std::string what = arguments[1];
    const double seconds = std::atof(arguments[2]);
    const int sms = count > 3 ? std::atoi(arguments[3]) : 0;
    if (sms > 0) confine_by_hand(static_cast<unsigned>(sms));
    int told = 0;
    MUST(cudaDeviceGetAttribute(&told, cudaDevAttrMultiProcessorCount, 0));
    const double rate = what == "spin" ? spin(seconds) : matmul(seconds, sms);
    std::printf("{\"sms\": %d, \"rate\": %.3f}\n", told, rate);
}
