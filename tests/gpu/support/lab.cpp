#include "tests/gpu/support/lab.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

namespace gpu {
namespace {

constexpr const char* kWaitFlag = R"(.version 6.3
.target sm_75
.address_size 64
.visible .entry wait_flag(.param .u64 flag)
{
    .reg .pred %again;
    .reg .b32 %value;
    .reg .b64 %address;
    ld.param.u64 %address, [flag];
    cvta.to.global.u64 %address, %address;
spin:
    ld.acquire.sys.global.u32 %value, [%address];
    setp.eq.u32 %again, %value, 0;
    @%again bra spin;
    ret;
}
)";

constexpr std::size_t kCellBytes = 256;
constexpr std::size_t kGates = 5;

void must(CUresult result, const char* step) {
    if (result == CUDA_SUCCESS) return;
    std::fprintf(stderr, "%s: error %d\n", step, result);
    _exit(6);
}
#define MUST(call) must(cuda.call, #call)

}  // namespace

Lab::Lab(Cuda& driver) : cuda(driver) {
    MUST(cuInit(0));
    MUST(cuDevicePrimaryCtxRetain(&primary, 0));
    MUST(cuCtxSetCurrent(primary));
    load();
    warm_up();
}

void Lab::load() {
    CUmodule module{};
    MUST(cuModuleLoadData(&module, kWaitFlag));
    MUST(cuModuleGetFunction(&wait_flag_, module, "wait_flag"));
    void* pinned = nullptr;
    MUST(cuMemHostAlloc(&pinned, kGates * sizeof(unsigned) + kCells, 0));
    flags_ = static_cast<unsigned*>(pinned);
    seen_ = reinterpret_cast<unsigned char*>(flags_ + kGates);
    MUST(cuMemAlloc_v2(&cells_, kCells * kCellBytes));
    MUST(cuStreamCreate(&reader_, CU_STREAM_NON_BLOCKING));
}

// Whatever is used while a gate is closed has been used before.
void Lab::warm_up() {
    MUST(cuMemsetD8_v2(cells_, 0, kCells * kCellBytes));
    MUST(cuCtxSynchronize());
    for (std::size_t gate = 0; gate < kGates; ++gate) {
        flags_[gate] = 1;
        close(reader_, static_cast<int>(gate));
        write(reader_, static_cast<int>(gate), 0);
        read(static_cast<int>(gate));
        flags_[gate] = 0;
    }
    flags_[kOpenGate] = 1;
    MUST(cuCtxSynchronize());
}

CUresult Lab::close(CUstream stream, int gate) {
    unsigned* flag = flags_ + gate;
    void* parameters[] = {&flag};
    return cuda.cuLaunchKernel(wait_flag_, 1, 1, 1, 1, 1, 1, 0, stream, parameters, nullptr);
}

CUresult Lab::close_ptsz(CUstream stream, int gate) {
    unsigned* flag = flags_ + gate;
    void* parameters[] = {&flag};
    return cuda.cuLaunchKernel_ptsz(wait_flag_, 1, 1, 1, 1, 1, 1, 0, stream, parameters, nullptr);
}

void Lab::open(int gate) {
    std::atomic_ref<unsigned>(flags_[gate]).store(1, std::memory_order_release);
}

void Lab::renew(int gate) {
    std::atomic_ref<unsigned>(flags_[gate]).store(0, std::memory_order_release);
}

bool Lab::waits(const std::function<void()>& call, int gate) {
    std::atomic<bool> opened{false};
    std::thread opener([&] {
        // Time for a call that doesn't wait to return, so that it is found out.
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        opened = true;
        open(gate);
    });
    call();
    const bool waited = opened;
    opener.join();
    return waited;
}

CUdeviceptr Lab::cell(int number) const {
    return cells_ + static_cast<std::size_t>(number) * kCellBytes;
}

CUresult Lab::write(CUstream stream, int number, int value) {
    return cuda.cuMemsetD8Async(cell(number), static_cast<unsigned char>(value), 1, stream);
}

int Lab::read(int number) {
    unsigned char* seen = seen_ + number;
    MUST(cuMemcpyDtoHAsync_v2(seen, cell(number), 1, reader_));
    MUST(cuStreamSynchronize(reader_));
    return *seen;
}

CUstream Lab::stream(unsigned flags) {
    CUstream made{};
    MUST(cuStreamCreate(&made, flags));
    return made;
}

CUevent Lab::event(unsigned flags) {
    CUevent made{};
    MUST(cuEventCreate(&made, flags));
    return made;
}

void in_thread(Cuda& cuda, CUcontext context, const std::function<void()>& work) {
    std::thread thread([&] {
        MUST(cuCtxSetCurrent(context));
        work();
    });
    thread.join();
}

}  // namespace gpu
