// Memory, events and pools of one process used by another, that it starts by exec. One JSON line.
//
// usage: ipc MIB [NAME=VALUE | NAME=]...
// MIB: how much is shared by cudaIpcGetMemHandle. NAME=VALUE: what is otherwise in the child's
// environment; NAME= takes it out.
#include <cuda.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "distinct.cuh"

namespace {

constexpr long long kSpin =
    400'000'000;                    // cycles, about 0.2 s: longer than what must wait for it takes
constexpr size_t kBlock = 2 << 20;  // bytes of the pool's and of the physical memory
constexpr int kCells = kBlock / sizeof(int);

__global__ void slow_write(volatile int* cell, int value) {
    const long long start = clock64();
    while (clock64() - start < kSpin) {
    }
    *cell = value;
}
__global__ void fill(int* cells, int value) {
    cells[blockIdx.x * blockDim.x + threadIdx.x] = value;
}
__global__ void count_equal(const int* cells, int value, int* count) {
    if (cells[blockIdx.x * blockDim.x + threadIdx.x] == value) atomicAdd(count, 1);
}

struct Handles {
    cudaIpcMemHandle_t memory;
    cudaIpcEventHandle_t forth, back;
    cudaMemPoolPtrExportData pointer;
};

// What a process says to the other, with descriptors where there are some.
void send_to(int channel, const void* data, size_t size, const std::vector<int>& descriptors = {}) {
    iovec part{const_cast<void*>(data), size};
    alignas(cmsghdr) char space[CMSG_SPACE(2 * sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control = space;
        message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
        std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
    }
    must(sendmsg(channel, &message, 0) == static_cast<ssize_t>(size) ? 0 : errno, "sendmsg");
}

size_t receive(int channel, void* data, size_t size, int* descriptors = nullptr) {
    iovec part{data, size};
    alignas(cmsghdr) char space[CMSG_SPACE(2 * sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = space;
    message.msg_controllen = sizeof space;
    const ssize_t got = recvmsg(channel, &message, 0);
    must(got > 0 ? 0 : 1, "the other process ended");
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && descriptors != nullptr) {
        std::memcpy(descriptors, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    }
    return static_cast<size_t>(got);
}

void say(int channel) { send_to(channel, "!", 1); }
void hear(int channel) {
    char byte;
    receive(channel, &byte, 1);
}

CUmemAllocationProp shareable() {
    CUmemAllocationProp kind{};
    kind.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    kind.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    kind.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    return kind;
}

int* mapped(CUmemGenericAllocationHandle handle) {
    CUdeviceptr address;
    MUST(cuMemAddressReserve(&address, kBlock, 0, 0, 0));
    MUST(cuMemMap(address, kBlock, 0, handle, 0));
    CUmemAccessDesc access{};
    access.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    MUST(cuMemSetAccess(address, kBlock, &access, 1));
    return reinterpret_cast<int*>(address);
}

void unmap(int* cells, CUmemGenericAllocationHandle handle) {
    const auto address = reinterpret_cast<CUdeviceptr>(cells);
    MUST(cuMemUnmap(address, kBlock));
    MUST(cuMemAddressFree(address, kBlock));
    MUST(cuMemRelease(handle));
}

bool all_equal(const int* cells, int value, cudaStream_t stream) {
    int* count;
    int result = 0;
    MUST(cudaMalloc(&count, sizeof *count));
    MUST(cudaMemsetAsync(count, 0, sizeof *count, stream));
    count_equal<<<kCells / 256, 256, 0, stream>>>(cells, value, count);
    MUST(cudaMemcpyAsync(&result, count, sizeof result, cudaMemcpyDeviceToHost, stream));
    MUST(cudaStreamSynchronize(stream));
    MUST(cudaFree(count));
    return result == kCells;
}

size_t free_memory() {
    size_t free, total;
    MUST(cudaMemGetInfo(&free, &total));
    return free;
}

int child(int channel, size_t bytes) {
    cudaStream_t stream;
    MUST(cudaStreamCreate(&stream));
    say(channel);
    Handles handles;
    int descriptors[2];
    receive(channel, &handles, sizeof handles, descriptors);
    const size_t before = free_memory();
    int* cells;
    cudaEvent_t forth, back;
    MUST(cudaIpcOpenMemHandle(reinterpret_cast<void**>(&cells), handles.memory,
                              cudaIpcMemLazyEnablePeerAccess));
    const bool charged = free_memory() + bytes <= before;
    MUST(cudaIpcOpenEventHandle(&forth, handles.forth));
    MUST(cudaIpcOpenEventHandle(&back, handles.back));
    MUST(cudaStreamWaitEvent(stream, forth));
    int seen = 0;
    MUST(cudaMemcpyAsync(&seen, cells, sizeof seen, cudaMemcpyDeviceToHost, stream));
    MUST(cudaStreamSynchronize(stream));
    slow_write<<<1, 1, 0, stream>>>(cells + 1, 5);
    MUST(cudaEventRecord(back, stream));
    say(channel);

    cudaMemPool_t pool;
    int* pooled;
    MUST(cudaMemPoolImportFromShareableHandle(
        &pool, reinterpret_cast<void*>(static_cast<intptr_t>(descriptors[0])),
        cudaMemHandleTypePosixFileDescriptor, 0));
    MUST(cudaMemPoolImportPointer(reinterpret_cast<void**>(&pooled), pool, &handles.pointer));
    const bool pool_right = all_equal(pooled, 11, stream);
    MUST(cudaFreeAsync(pooled, stream));
    MUST(cudaStreamSynchronize(stream));

    CUmemGenericAllocationHandle physical;
    MUST(cuMemImportFromShareableHandle(
        &physical, reinterpret_cast<void*>(static_cast<intptr_t>(descriptors[1])),
        CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
    int* there = mapped(physical);
    const bool physical_right = all_equal(there, 12, stream);
    fill<<<kCells / 256, 256, 0, stream>>>(there, 13);
    MUST(cudaStreamSynchronize(stream));
    unmap(there, physical);
    const int sms = distinct_sms(stream).count();
    MUST(cudaEventDestroy(forth));
    MUST(cudaEventDestroy(back));
    MUST(cudaIpcCloseMemHandle(cells));
    const std::string answers =
        "\"child: what the parent's event ordered\": " + std::to_string(seen) +
        ", \"child: charged for what it opened\": " + std::to_string(charged) +
        ", \"child: pool's memory is right\": " + std::to_string(pool_right) +
        ", \"child: physical memory is right\": " + std::to_string(physical_right) +
        ", \"sms of the child\": " + std::to_string(sms);
    send_to(channel, answers.data(), answers.size());
    return 0;
}

int parent(int channel, size_t bytes) {
    cudaStream_t stream;
    MUST(cudaStreamCreate(&stream));
    Handles handles;
    int* cells;
    cudaEvent_t forth, back;
    MUST(cudaMalloc(&cells, bytes));
    MUST(cudaMemset(cells, 0, bytes));
    MUST(cudaIpcGetMemHandle(&handles.memory, cells));
    for (const auto& [event, handle] :
         {std::pair{&forth, &handles.forth}, std::pair{&back, &handles.back}}) {
        MUST(cudaEventCreateWithFlags(event, cudaEventInterprocess | cudaEventDisableTiming));
        MUST(cudaIpcGetEventHandle(handle, *event));
    }
    cudaMemPoolProps kind{};
    kind.allocType = cudaMemAllocationTypePinned;
    kind.handleTypes = cudaMemHandleTypePosixFileDescriptor;
    kind.location.type = cudaMemLocationTypeDevice;
    cudaMemPool_t pool;
    int* pooled;
    int descriptors[2];
    MUST(cudaMemPoolCreate(&pool, &kind));
    MUST(cudaMallocFromPoolAsync(reinterpret_cast<void**>(&pooled), kBlock, pool, stream));
    fill<<<kCells / 256, 256, 0, stream>>>(pooled, 11);
    MUST(cudaMemPoolExportToShareableHandle(&descriptors[0], pool,
                                            cudaMemHandleTypePosixFileDescriptor, 0));
    MUST(cudaMemPoolExportPointer(&handles.pointer, pooled));
    const CUmemAllocationProp physical_kind = shareable();
    CUmemGenericAllocationHandle physical;
    MUST(cuMemCreate(&physical, kBlock, &physical_kind, 0));
    MUST(cuMemExportToShareableHandle(&descriptors[1], physical,
                                      CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
    int* there = mapped(physical);
    fill<<<kCells / 256, 256, 0, stream>>>(there, 12);
    const int sms = distinct_sms(stream).count();

    hear(channel);
    slow_write<<<1, 1, 0, stream>>>(cells, 3);
    MUST(cudaEventRecord(forth, stream));
    send_to(channel, &handles, sizeof handles, {descriptors[0], descriptors[1]});
    hear(channel);
    MUST(cudaStreamWaitEvent(stream, back));
    int seen = 0;
    MUST(cudaMemcpyAsync(&seen, cells + 1, sizeof seen, cudaMemcpyDeviceToHost, stream));
    MUST(cudaStreamSynchronize(stream));
    char answers[2000] = {};
    const size_t size = receive(channel, answers, sizeof answers - 1);
    const bool written = all_equal(there, 13, stream);
    unmap(there, physical);
    MUST(cudaFreeAsync(pooled, stream));
    MUST(cudaStreamSynchronize(stream));
    MUST(cudaMemPoolDestroy(pool));
    MUST(cudaFree(cells));
    if (answers[0] == '{') {
        std::printf("%s", answers);
        return 1;
    }
    std::printf(
        "{\"parent: what the child's event ordered\": %d, \"parent: what the child wrote\": %d, "
        "\"sms of the parent\": %d, %.*s}\n",
        seen, written, sms, static_cast<int>(size), answers);
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    must(count >= 2 ? 0 : 1, "usage: ipc MIB [NAME=VALUE | NAME=]...");
    const size_t bytes = std::strtoull(arguments[1], nullptr, 10) << 20;
    constexpr int kChannel = 9;
    if (count > 2 && std::strcmp(arguments[2], "child") == 0) return child(kChannel, bytes);
    int ends[2];
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    const pid_t pid = fork();
    if (pid == 0) {
        for (int i = 2; i < count; ++i) {
            const std::string change = arguments[i];
            const size_t equals = change.find('=');
            if (equals + 1 == change.size()) {
                unsetenv(change.substr(0, equals).c_str());
            } else {
                setenv(change.substr(0, equals).c_str(), change.c_str() + equals + 1, 1);
            }
        }
        dup2(ends[1], kChannel);
        dup2(STDERR_FILENO, STDOUT_FILENO);  // the parent's line is the answer
        execl("/proc/self/exe", arguments[0], arguments[1], "child", nullptr);
        _exit(127);
    }
    close(ends[1]);
    const int result = parent(ends[0], bytes);
    int status = 0;
    waitpid(pid, &status, 0);
    return result != 0 || status != 0;
}
