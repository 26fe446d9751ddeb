// What sanitizers and profilers are attached to. One JSON line; the SMs that each launch ran on are
// those of kernels that the tool has changed or watched.
//
// usage: tools clean | outside | race
// clean: kernels on every sort of stream and in a graph. outside: one writes beyond its memory.
// race: the threads of a block write one cell of shared memory with no order between them.
#include <cstring>

#include "distinct.cuh"

namespace {

__global__ void add(int* cells, int value) {
    cells[blockIdx.x * blockDim.x + threadIdx.x] += value;
}
__global__ void write_outside(int* cells, int count) { cells[count + threadIdx.x] = 1; }
__global__ void race(int* result) {
    __shared__ int cell;
    cell = static_cast<int>(threadIdx.x);
    if (threadIdx.x == 0) *result = cell;
}

constexpr int kCells = 1 << 10;

void clean(int* cells) {
    cudaStream_t blocking, free;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    MUST(cudaStreamCreate(&blocking));
    MUST(cudaStreamCreateWithFlags(&free, cudaStreamNonBlocking));
    MUST(cudaStreamBeginCapture(blocking, cudaStreamCaptureModeGlobal));
    add<<<kCells / 64, 64, 0, blocking>>>(cells, 1);
    MUST(cudaStreamEndCapture(blocking, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    for (const cudaStream_t stream : {cudaStream_t{}, cudaStreamPerThread, blocking, free}) {
        for (int turn = 0; turn < 3; ++turn) {
            add<<<kCells / 64, 64, 0, stream>>>(cells, 1);
            MUST(cudaGraphLaunch(exec, stream));
        }
        MUST(cudaDeviceSynchronize());
    }
}

}  // namespace

int main(int count, char** arguments) {
    must(count == 2 ? 0 : 1, "usage: tools clean | outside | race");
    int* cells;
    MUST(cudaMalloc(&cells, kCells * sizeof(int)));
    MUST(cudaMemset(cells, 0, kCells * sizeof(int)));
    if (std::strcmp(arguments[1], "outside") == 0) {
        write_outside<<<1, 32>>>(cells, kCells);
    } else if (std::strcmp(arguments[1], "race") == 0) {
        race<<<1, 64>>>(cells);
    } else {
        clean(cells);
    }
    // A tool may have stopped the kernel, after which every call says so.
    const cudaError_t error = cudaDeviceSynchronize();
    int value = 0;
    if (error == cudaSuccess)
        MUST(cudaMemcpy(&value, cells + 5, sizeof value, cudaMemcpyDeviceToHost));
    std::printf(
        "{\"code\": %d, \"value\": %d, \"sms by attribute\": %d, \"sms of a kernel\": %d}\n", error,
        value, told_sms(0), error == cudaSuccess ? distinct_sms().count() : told_sms(0));
}
