// Graphs that allocate, with a gibibyte and with three: as one JSON line, what each step answered.
#include <string>

#include "distinct.cuh"

namespace {

constexpr size_t kMib = size_t{1} << 20;

std::string line = "{";
void tell(const std::string& key, int value) {
    line += (line.size() > 1 ? ", \"" : "\"") + key + "\": " + std::to_string(value);
    (void)cudaGetLastError();
}

__global__ void touch(int* cell, int* result) {
    *cell = 4;
    *result = *cell;
}

int* result;

// A graph that allocates, uses and frees `bytes`; by captured calls, or by nodes of its own.
cudaGraphExec_t captured(size_t bytes) {
    cudaStream_t stream;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    int* memory;
    MUST(cudaStreamCreate(&stream));
    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    MUST(cudaMallocAsync(reinterpret_cast<void**>(&memory), bytes, stream));
    touch<<<1, 1, 0, stream>>>(memory, result);
    MUST(cudaFreeAsync(memory, stream));
    MUST(cudaStreamEndCapture(stream, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    MUST(cudaGraphDestroy(graph));
    MUST(cudaStreamDestroy(stream));
    return exec;
}

cudaGraphExec_t by_nodes(size_t bytes) {
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    cudaGraphNode_t allocation, fill, free;
    MUST(cudaGraphCreate(&graph, 0));
    cudaMemAllocNodeParams kind{};
    kind.poolProps.allocType = cudaMemAllocationTypePinned;
    kind.poolProps.location.type = cudaMemLocationTypeDevice;
    kind.bytesize = bytes;
    MUST(cudaGraphAddMemAllocNode(&allocation, graph, nullptr, 0, &kind));
    cudaMemsetParams zero{};
    zero.dst = kind.dptr;
    zero.elementSize = 1;
    zero.width = 1 << 20;
    zero.height = 1;
    MUST(cudaGraphAddMemsetNode(&fill, graph, &allocation, 1, &zero));
    MUST(cudaGraphAddMemFreeNode(&free, graph, &fill, 1, kind.dptr));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    MUST(cudaGraphDestroy(graph));
    return exec;
}

int launched(cudaGraphExec_t exec) {
    const cudaError_t error = cudaGraphLaunch(exec, nullptr);
    const cudaError_t end = cudaDeviceSynchronize();
    return error != cudaSuccess ? error : end;
}

int plain(size_t bytes) {
    void* memory;
    const cudaError_t error = cudaMalloc(&memory, bytes);
    if (error == cudaSuccess) MUST(cudaFree(memory));
    return error;
}

bool reserved_at_least(size_t bytes) {
    unsigned long long reserved = 0;
    MUST(cudaDeviceGetGraphMemAttribute(0, cudaGraphMemAttrReservedMemCurrent, &reserved));
    return reserved >= bytes;
}

}  // namespace

int main() {
    MUST(cudaMalloc(&result, sizeof *result));
    cudaGraphExec_t small = captured(1024 * kMib);
    tell("1 GiB in a graph", launched(small));
    tell("again", launched(small));
    tell("a gibibyte is reserved", reserved_at_least(1024 * kMib));
    tell("1.75 GiB beside a graph's 1 GiB, before a trim", plain(1792 * kMib));
    tell("trim", cudaDeviceGraphMemTrim(0));
    tell("a gibibyte is reserved after a trim", reserved_at_least(1024 * kMib));
    tell("1.75 GiB after a trim", plain(1792 * kMib));
    cudaGraphExec_t nodes = by_nodes(1024 * kMib);
    tell("1 GiB by nodes", launched(nodes));
    MUST(cudaGraphExecDestroy(nodes));
    MUST(cudaDeviceGraphMemTrim(0));
    cudaGraphExec_t large = captured(3072 * kMib);
    tell("3 GiB in a graph", launched(large));
    MUST(cudaGraphExecDestroy(large));
    MUST(cudaDeviceGraphMemTrim(0));
    tell("1 GiB in a graph after that", launched(small));
    int value = 0;
    tell("its value",
         cudaMemcpy(&value, result, sizeof value, cudaMemcpyDeviceToHost) == 0 && value == 4);
    MUST(cudaGraphExecDestroy(small));
    MUST(cudaDeviceGraphMemTrim(0));
    tell("1.75 GiB at the end", plain(1792 * kMib));
    std::printf("%s}\n", line.c_str());
}
