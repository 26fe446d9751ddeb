// What a program does with two GPUs, as one JSON line of questions and answers; SMs of each by
// "sms".
#include <string>

#include "distinct.cuh"

namespace {

constexpr int kCells = 1 << 20;
constexpr size_t kBytes = kCells * sizeof(int);
constexpr long long kSpin = 100'000'000;  // cycles, about 50 ms

std::string line = "{";
void tell(const std::string& key, int value) {
    line += (line.size() > 1 ? ", \"" : "\"") + key + "\": " + std::to_string(value);
    (void)cudaGetLastError();
}

__global__ void fill(int* cells, int value) {
    cells[blockIdx.x * blockDim.x + threadIdx.x] = value;
}
__global__ void copy(const int* from, int* to) {
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    to[i] = from[i];
}
__global__ void slow_fill(int* cells, int value) {
    const long long start = clock64();
    while (clock64() - start < kSpin) {
    }
    cells[threadIdx.x] = value;
}

int* cells[2];
cudaStream_t streams[2];
int host[kCells];

void on(int device) { MUST(cudaSetDevice(device)); }

void fill_on(int device, int value) {
    on(device);
    fill<<<kCells / 256, 256>>>(cells[device], value);
    MUST(cudaDeviceSynchronize());
}

bool is(int device, int value) {
    on(device);
    MUST(cudaMemcpy(host, cells[device], kBytes, cudaMemcpyDeviceToHost));
    for (const int cell : host) {
        if (cell != value) return false;
    }
    return true;
}

void start() {
    for (const int device : {0, 1}) {
        on(device);
        MUST(cudaMalloc(&cells[device], kBytes));
        MUST(cudaStreamCreate(&streams[device]));
        const std::string of = "sms of " + std::to_string(device);
        tell(of + " by attribute", told_sms(device));
        tell(of + "'s kernel", distinct_sms(streams[device]).count());
    }
}

void copies(const std::string& how) {
    for (const int from : {0, 1}) {
        const int to = 1 - from;
        const std::string way =
            how + ", " + std::to_string(from) + " to " + std::to_string(to) + ": ";
        fill_on(from, 10 + from);
        fill_on(to, 0);
        tell(way + "cudaMemcpyPeer", cudaMemcpyPeer(cells[to], to, cells[from], from, kBytes));
        tell(way + "right", is(to, 10 + from));
        fill_on(to, 0);
        on(to);
        tell(way + "cudaMemcpyPeerAsync on the other's stream",
             cudaMemcpyPeerAsync(cells[to], to, cells[from], from, kBytes, streams[from]));
        tell(way + "its wait", cudaStreamSynchronize(streams[from]));
        tell(way + "right again", is(to, 10 + from));
        fill_on(to, 0);
        tell(way + "cudaMemcpy by address",
             cudaMemcpy(cells[to], cells[from], kBytes, cudaMemcpyDefault));
        tell(way + "right by address", is(to, 10 + from));
    }
}

void peers() {
    for (const int from : {0, 1}) {
        const int to = 1 - from;
        const std::string way = std::to_string(to) + " reads " + std::to_string(from) + ": ";
        int can = 0;
        MUST(cudaDeviceCanAccessPeer(&can, to, from));
        tell(way + "can", can);
        on(to);
        tell(way + "enabled", cudaDeviceEnablePeerAccess(from, 0));
        tell(way + "enabled twice", cudaDeviceEnablePeerAccess(from, 0));
        if (can == 0) continue;
        fill_on(from, 20 + from);
        fill_on(to, 0);
        copy<<<kCells / 256, 256>>>(cells[from], cells[to]);
        tell(way + "its kernel", cudaDeviceSynchronize());
        tell(way + "right", is(to, 20 + from));
    }
}

void across() {
    on(0);
    tell("a kernel on the other's stream", [] {
        fill<<<kCells / 256, 256, 0, streams[1]>>>(cells[1], 1);
        return cudaGetLastError();
    }());
    tell("a copy on the other's stream",
         cudaMemcpyAsync(host, cells[1], kBytes, cudaMemcpyDeviceToHost, streams[1]));
    tell("its wait", cudaStreamSynchronize(streams[1]));
    cudaEvent_t event;
    on(1);
    MUST(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    fill_on(1, 0);
    slow_fill<<<1, 256, 0, streams[1]>>>(cells[1], 7);
    MUST(cudaEventRecord(event, streams[1]));
    on(0);
    tell("the other's event", cudaStreamWaitEvent(streams[0], event));
    tell("a copy behind it",
         cudaMemcpyPeerAsync(cells[0], 0, cells[1], 1, 256 * sizeof(int), streams[0]));
    MUST(cudaStreamSynchronize(streams[0]));
    MUST(cudaMemcpy(host, cells[0], sizeof(int), cudaMemcpyDeviceToHost));
    tell("what it saw", host[0]);
    on(1);
    slow_fill<<<1, 256, 0, streams[1]>>>(cells[1], 8);
    on(0);
    fill<<<1, 256>>>(cells[0], 9);
    MUST(cudaStreamSynchronize(nullptr));
    tell("the default stream of 0 waits for 0 alone",
         cudaStreamQuery(streams[1]) == cudaErrorNotReady);
    int device = -1;
    MUST(cudaStreamGetDevice(streams[1], &device));
    tell("device of the stream on 1", device);
    MUST(cudaStreamSynchronize(streams[1]));
    MUST(cudaEventDestroy(event));
}

void pools() {
    cudaMemPool_t pool;
    int* memory;
    MUST(cudaDeviceGetDefaultMemPool(&pool, 1));
    cudaMemAccessDesc access{};
    access.location.type = cudaMemLocationTypeDevice;
    access.flags = cudaMemAccessFlagsProtReadWrite;
    on(1);
    tell("a pool on 1 for 0", cudaMemPoolSetAccess(pool, &access, 1));
    MUST(cudaMallocAsync(&memory, kBytes, streams[1]));
    fill<<<kCells / 256, 256, 0, streams[1]>>>(memory, 30);
    MUST(cudaStreamSynchronize(streams[1]));
    on(0);
    copy<<<kCells / 256, 256, 0, streams[0]>>>(memory, cells[0]);
    tell("0 reads it", cudaStreamSynchronize(streams[0]));
    tell("right", is(0, 30));
    tell("freed on 1's stream", cudaFreeAsync(memory, streams[1]));
    MUST(cudaStreamSynchronize(streams[1]));
}

void resets() {
    fill_on(0, 40);
    on(1);
    tell("reset of 1", cudaDeviceReset());
    tell("0 keeps its memory", is(0, 40));
    on(1);
    MUST(cudaMalloc(&cells[1], kBytes));
    fill_on(1, 41);
    tell("1 anew", is(1, 41));
    tell("SMs of 1 as before", distinct_sms().count() == told_sms(1));
}

}  // namespace

int main() {
    start();
    copies("without peer access");
    peers();
    copies("with peer access");
    across();
    pools();
    resets();
    std::printf("%s}\n", line.c_str());
}
