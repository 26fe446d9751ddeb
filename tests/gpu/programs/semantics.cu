// What a CUDA runtime program relies on, as one JSON line of questions and answers, for a bare run
// and a confined one to be compared. Built twice: as it is, and with --default-stream per-thread.
// Keys that begin with "sms" are numbers of SMs, by which the two runs differ; every other answer
// is the same wherever CUDA's rules hold.
#include <cooperative_groups.h>
#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>

namespace {

constexpr long long kSpin = 40'000'000;  // cycles, about 20 ms: long against a launch

__device__ unsigned mask[16];

__device__ void note() {
    unsigned sm;
    asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
    if (threadIdx.x == 0) atomicOr(&mask[sm / 32], 1u << (sm % 32));
    const long long start = clock64();
    while (clock64() - start < 200000) {
    }
}
__global__ void note_sm() { note(); }
__global__ void note_sm_together() {
    note();
    cooperative_groups::this_grid().sync();
}
__global__ void slow_write(volatile int* cell, int value) {
    const long long start = clock64();
    while (clock64() - start < kSpin) {
    }
    *cell = value;
}
__global__ void copy_cell(const volatile int* from, int* to) { *to = *from; }

std::string line = "{";
void tell(const std::string& key, long long value) {
    line += (line.size() > 1 ? ", \"" : "\"") + key + "\": " + std::to_string(value);
}

void must(cudaError_t error, const char* what) {
    if (error == cudaSuccess) return;
    std::printf("{\"error\": %d, \"at\": \"%s\"}\n", error, what);
    std::exit(1);
}
#define MUST(call) must((call), #call)

int* cells;  // two integers on the device

int sm_count() {
    int count = 0;
    MUST(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, 0));
    return count;
}

int distinct_sms(const std::function<cudaError_t()>& launch) {
    const unsigned none[16] = {};
    unsigned seen[16] = {};
    MUST(cudaMemcpyToSymbol(mask, none, sizeof none));
    MUST(cudaDeviceSynchronize());
    const cudaError_t error = launch();
    if (error != cudaSuccess) return -static_cast<int>(error);
    MUST(cudaDeviceSynchronize());
    MUST(cudaMemcpyFromSymbol(seen, mask, sizeof seen));
    int count = 0;
    for (const unsigned word : seen) count += __builtin_popcount(word);
    return count;
}

cudaError_t note_on(cudaStream_t stream) {
    note_sm<<<2048, 64, 0, stream>>>();
    return cudaGetLastError();
}

cudaError_t together(int blocks_per_sm_of) {
    return cudaLaunchCooperativeKernel(reinterpret_cast<void*>(note_sm_together),
                                       dim3(blocks_per_sm_of), dim3(64), nullptr, 0, nullptr);
}

cudaError_t in_clusters(unsigned size) {
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(2048 / size * size);
    config.blockDim = dim3(64);
    cudaLaunchAttribute cluster{};
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim.x = size;
    cluster.val.clusterDim.y = cluster.val.clusterDim.z = 1;
    config.attrs = &cluster;
    config.numAttrs = 1;
    return cudaLaunchKernelEx(&config, note_sm);
}

cudaError_t in_graph(cudaStream_t capturing, cudaStream_t launching) {
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    MUST(cudaStreamBeginCapture(capturing, cudaStreamCaptureModeGlobal));
    note_on(capturing);
    MUST(cudaStreamEndCapture(capturing, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    const cudaError_t error = cudaGraphLaunch(exec, launching);
    MUST(cudaDeviceSynchronize());
    MUST(cudaGraphExecDestroy(exec));
    MUST(cudaGraphDestroy(graph));
    return error;
}

struct Streams {
    cudaStream_t blocking, other, free;
    Streams() {
        MUST(cudaStreamCreate(&blocking));
        MUST(cudaStreamCreate(&other));
        MUST(cudaStreamCreateWithFlags(&free, cudaStreamNonBlocking));
    }
    ~Streams() {
        MUST(cudaStreamDestroy(blocking));
        MUST(cudaStreamDestroy(other));
        MUST(cudaStreamDestroy(free));
    }
};

void sms() {
    const Streams streams;
    cudaDeviceProp properties;
    MUST(cudaGetDeviceProperties(&properties, 0));
    tell("sms by properties", properties.multiProcessorCount);
    tell("sms by attribute", sm_count());
    const std::pair<const char*, cudaStream_t> kinds[] = {{"NULL", nullptr},
                                                          {"legacy", cudaStreamLegacy},
                                                          {"per-thread", cudaStreamPerThread},
                                                          {"blocking", streams.blocking},
                                                          {"non-blocking", streams.free}};
    for (const auto& [name, stream] : kinds) {
        tell("sms on " + std::string(name), distinct_sms([s = stream] { return note_on(s); }));
        tell("sms in a graph on " + std::string(name),
             distinct_sms([&, s = stream] { return in_graph(streams.free, s); }));
    }
    tell("sms of a cooperative launch of one block each",
         distinct_sms([] { return together(sm_count()); }));
    int grid = 0;
    int block = 0;
    MUST(cudaOccupancyMaxPotentialBlockSize(&grid, &block, note_sm));
    int per_sm = 0;
    MUST(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&per_sm, note_sm, block, 0));
    tell("occupancy's grid in blocks per SM", per_sm == 0 ? -1 : grid / per_sm / sm_count());
    int most = 0;
    MUST(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&most, note_sm_together, 64, 0));
    tell("one block too many for a cooperative launch", together(most * sm_count() + 1));
    (void)cudaGetLastError();
    for (const unsigned size : {2u, 4u, 8u}) {
        tell("sms in clusters of " + std::to_string(size),
             distinct_sms([size] { return in_clusters(size); }));
    }
    (void)cudaGetLastError();
}

// Whether what `second` does sees what `first` wrote: 1 where CUDA orders them. A 0 of streams that
// are independent could by bad luck be a 1, but only if a launch took longer than the spin.
using Work = std::function<void()>;
int ordered(const Work& first, const Work& second) {
    MUST(cudaMemset(cells, 0, 2 * sizeof(int)));
    MUST(cudaDeviceSynchronize());
    first();
    second();
    MUST(cudaDeviceSynchronize());
    int result[2] = {};
    MUST(cudaMemcpy(result, cells, sizeof result, cudaMemcpyDeviceToHost));
    return result[1];
}

void order() {
    const Streams streams;
    const std::pair<const char*, cudaStream_t> kinds[] = {{"NULL", nullptr},
                                                          {"legacy", cudaStreamLegacy},
                                                          {"per-thread", cudaStreamPerThread},
                                                          {"blocking", streams.blocking},
                                                          {"other", streams.other},
                                                          {"non-blocking", streams.free}};
    for (const auto& [first, a] : kinds) {
        for (const auto& [second, b] : kinds) {
            if (a == b) continue;
            const std::string pair = std::string(first) + " then " + second;
            const Work write = [a = a] { slow_write<<<1, 1, 0, a>>>(cells, 1); };
            tell(pair + ", kernel",
                 ordered(write, [b = b] { copy_cell<<<1, 1, 0, b>>>(cells, cells + 1); }));
            tell(pair + ", copy", ordered(write, [b = b] {
                     MUST(cudaMemcpyAsync(cells + 1, cells, 4, cudaMemcpyDeviceToDevice, b));
                 }));
            tell(pair + ", event", ordered(write, [b = b] {
                     cudaEvent_t event;
                     MUST(cudaEventCreate(&event));
                     MUST(cudaEventRecord(event, b));
                     MUST(cudaEventSynchronize(event));
                     cudaStream_t own;
                     MUST(cudaStreamCreateWithFlags(&own, cudaStreamNonBlocking));
                     copy_cell<<<1, 1, 0, own>>>(cells, cells + 1);
                     MUST(cudaStreamDestroy(own));
                     MUST(cudaEventDestroy(event));
                 }));
            tell(pair + ", in another thread", ordered(write, [b = b] {
                     std::thread([b] { copy_cell<<<1, 1, 0, b>>>(cells, cells + 1); }).join();
                 }));
        }
        tell(std::string(first) + " then a plain copy",
             ordered([a = a] { slow_write<<<1, 1, 0, a>>>(cells, 1); },
                     [] { MUST(cudaMemcpy(cells + 1, cells, 4, cudaMemcpyDeviceToDevice)); }));
        tell(std::string(first) + " queried busy", [&] {
            slow_write<<<1, 1, 0, a>>>(cells, 1);
            const int code = cudaStreamQuery(nullptr);
            MUST(cudaDeviceSynchronize());
            (void)cudaGetLastError();
            return code;
        }());
    }
    tell("a destroyed busy stream", ordered(
                                        [] {
                                            cudaStream_t stream;
                                            MUST(cudaStreamCreate(&stream));
                                            slow_write<<<1, 1, 0, stream>>>(cells, 1);
                                            MUST(cudaStreamDestroy(stream));
                                        },
                                        [] { copy_cell<<<1, 1>>>(cells, cells + 1); }));
}

void answers() {
    const Streams streams;
    unsigned flags = 9;
    MUST(cudaStreamGetFlags(streams.blocking, &flags));
    tell("flags of a blocking stream", flags);
    MUST(cudaStreamGetFlags(streams.free, &flags));
    tell("flags of a non-blocking stream", flags);
    MUST(cudaStreamGetFlags(cudaStreamPerThread, &flags));
    tell("flags of the per-thread stream", flags);
    CUcontext primary, current, of_stream;
    cuDevicePrimaryCtxRetain(&primary, 0);
    cuCtxGetCurrent(&current);
    cuStreamGetCtx(streams.blocking, &of_stream);
    tell("current is the primary", current == primary);
    tell("the stream's is the primary", of_stream == primary);
    unsigned long long id_now = 0, id_primary = 1;
    cuCtxGetId(nullptr, &id_now);
    cuCtxGetId(primary, &id_primary);
    tell("one id", id_now == id_primary);
    CUcontext popped;
    tell("push", cuCtxPushCurrent(primary));
    tell("pop", cuCtxPopCurrent(&popped));
    tell("popped the primary", popped == primary);
    cuCtxGetCurrent(&current);
    tell("still current", current == primary);
    unsigned state_flags = 9;
    int active = -1;
    cuDevicePrimaryCtxGetState(0, &state_flags, &active);
    tell("active", active);
    cuDevicePrimaryCtxRelease(0);
}

void captures() {
    const Streams streams;
    for (const auto& [name, stream] :
         {std::pair{"blocking", streams.blocking}, std::pair{"non-blocking", streams.free}}) {
        for (const auto mode : {cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal,
                                cudaStreamCaptureModeRelaxed}) {
            const std::string key = std::string(name) + " in mode " + std::to_string(mode) + ": ";
            MUST(cudaStreamBeginCapture(stream, mode));
            copy_cell<<<1, 1, 0, cudaStreamLegacy>>>(cells, cells + 1);
            tell(key + "legacy launch", cudaGetLastError());
            cudaGraph_t graph = nullptr;
            tell(key + "end", cudaStreamEndCapture(stream, &graph));
            (void)cudaGetLastError();
            if (graph != nullptr) MUST(cudaGraphDestroy(graph));
        }
    }
    tell("capture of the legacy stream",
         cudaStreamBeginCapture(cudaStreamLegacy, cudaStreamCaptureModeRelaxed));
    (void)cudaGetLastError();
    cudaGraph_t graph = nullptr;
    tell("capture of the per-thread stream",
         cudaStreamBeginCapture(cudaStreamPerThread, cudaStreamCaptureModeRelaxed));
    copy_cell<<<1, 1, 0, cudaStreamPerThread>>>(cells, cells + 1);
    tell("end of that", cudaStreamEndCapture(cudaStreamPerThread, &graph));
    size_t nodes = 9;
    if (graph != nullptr) cudaGraphGetNodes(graph, nullptr, &nodes);
    tell("nodes of that", static_cast<long long>(nodes));
    (void)cudaGetLastError();
}

void allocation() {
    const Streams streams;
    for (const auto& [name, stream] :
         {std::pair{"NULL", cudaStream_t{}}, std::pair{"per-thread", cudaStreamPerThread},
          std::pair{"blocking", streams.blocking}}) {
        int* memory = nullptr;
        tell(std::string("malloc on ") + name, cudaMallocAsync(&memory, 1 << 20, stream));
        tell(std::string("memset on ") + name, cudaMemsetAsync(memory, 1, 1 << 20, stream));
        int value = 0;
        tell(std::string("copy on ") + name,
             cudaMemcpyAsync(&value, memory, 4, cudaMemcpyDeviceToHost, stream));
        tell(std::string("free on ") + name, cudaFreeAsync(memory, stream));
        tell(std::string("wait on ") + name, cudaStreamSynchronize(stream));
        tell(std::string("value on ") + name, value);
    }
}

void called_back(cudaStream_t stream, cudaError_t, void* to) {
    *static_cast<cudaStream_t*>(to) = stream;
}

void callbacks() {
    const Streams streams;
    for (const auto& [name, stream] :
         {std::pair{"blocking", streams.blocking}, std::pair{"per-thread", cudaStreamPerThread},
          std::pair{"NULL", cudaStream_t{}}}) {
        auto got = reinterpret_cast<cudaStream_t>(99);
        MUST(cudaStreamAddCallback(stream, called_back, &got, 0));
        MUST(cudaDeviceSynchronize());
        tell(std::string("callback's handle on ") + name, got == stream);
    }
}

void start() { MUST(cudaMalloc(&cells, 2 * sizeof(int))); }

}  // namespace

int main() {
    start();
    sms();
    order();
    answers();
    captures();
    allocation();
    callbacks();
    tell("reset", cudaDeviceReset());
    start();
    tell("sms after a reset", distinct_sms([] { return note_on(nullptr); }));
    std::printf("%s}\n", line.c_str());
}
