// Memory that is allocated and freed when the call returns, on the device or pinned.
#include <algorithm>
#include <climits>

#include "tests/sim/driver/allocation.h"
#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"
#include "tests/sim/driver/share.h"

using sim::Call;
using sim::Driver;
using sim::MemoryKind;

namespace {

CUresult allocate(const char* symbol, CUdeviceptr* pointer, std::size_t bytes,
                  MemoryKind kind = MemoryKind::Device) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    CUresult result{};
    CUcontext context = driver->usable_context(result);
    if (context != nullptr) result = sim::unsafe_allowed(*driver);
    if (result == CUDA_SUCCESS) {
        result = pointer != nullptr ? driver->allocate(context, bytes, kind, *pointer)
                                    : CUDA_ERROR_INVALID_VALUE;
    }
    return call.done(result, "bytes=%zu", bytes);
}

// By cuMemFree what came from a pool or a graph too (documented).
bool freeable(MemoryKind kind, bool on_host) {
    if (on_host) return kind == MemoryKind::Host;
    return kind == MemoryKind::Device || kind == MemoryKind::Managed || kind == MemoryKind::Pool ||
           kind == MemoryKind::Graph;
}

// Measured: cuMemFree waits for all streams, whichever context is current.
CUresult release(const char* symbol, CUdeviceptr pointer, bool on_host = false) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    std::unique_lock<std::mutex> lock(driver->mutex);
    CUresult result{};
    CUcontext context = driver->usable_context(result);
    if (context != nullptr) result = sim::unsafe_allowed(*driver);
    if (result != CUDA_SUCCESS) return call.done(result);
    if (pointer != 0 || on_host) {
        driver->wait(lock, driver->unfinished(context->root));
        const auto found = driver->allocations.find(pointer);
        const bool known =
            found != driver->allocations.end() && freeable(found->second.kind, on_host);
        result = known ? driver->release(pointer, found->second.kind) : CUDA_ERROR_INVALID_VALUE;
    }
    return call.done(result, "pointer=%#llx", pointer);
}

CUresult information(const char* symbol, std::uint64_t& free, std::uint64_t& total, bool usable) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    CUresult result{};
    CUcontext context = driver->usable_context(result);
    if (context == nullptr) return call.done(result);
    if (!usable) return call.done(CUDA_ERROR_INVALID_VALUE);
    const sim::Device& device = driver->at(context->device);
    free = driver->free_bytes(device);
    total = device.memory;
    return call.done(CUDA_SUCCESS, "free=%llu total=%llu", static_cast<unsigned long long>(free),
                     static_cast<unsigned long long>(total));
}

unsigned narrow(std::uint64_t bytes) {
    return static_cast<unsigned>(std::min<std::uint64_t>(bytes, UINT_MAX));
}

}  // namespace

CUresult cuMemAlloc_v2(CUdeviceptr* pointer, std::size_t bytes) {
    return allocate("cuMemAlloc_v2", pointer, bytes);
}

// The first version's pointers have 32 bits, which can't name memory of a 64-bit process.
CUresult cuMemAlloc(CUdeviceptr_v1*, unsigned bytes) {
    Call call("cuMemAlloc");
    if (call.driver() == nullptr) return call.done();
    return call.done(CUDA_ERROR_OUT_OF_MEMORY, "bytes=%u", bytes);
}

CUresult cuMemAllocManaged(CUdeviceptr* pointer, std::size_t bytes, unsigned) {
    return allocate("cuMemAllocManaged", pointer, bytes, MemoryKind::Managed);
}

CUresult cuMemAllocPitch_v2(CUdeviceptr* pointer, std::size_t* pitch, std::size_t width,
                            std::size_t height, unsigned) {
    constexpr std::size_t kPitch = 512;
    const std::size_t row = sim::round_up(width, kPitch);
    std::size_t bytes = 0;
    if (pitch == nullptr || __builtin_mul_overflow(row, height, &bytes)) bytes = 0;
    const CUresult result = allocate("cuMemAllocPitch_v2", pointer, bytes);
    if (result == CUDA_SUCCESS) *pitch = row;
    return result;
}

CUresult cuMemFree_v2(CUdeviceptr pointer) { return release("cuMemFree_v2", pointer); }
CUresult cuMemFree(CUdeviceptr_v1 pointer) { return release("cuMemFree", pointer); }

CUresult cuMemHostAlloc(void** pointer, std::size_t bytes, unsigned) {
    return allocate("cuMemHostAlloc", reinterpret_cast<CUdeviceptr*>(pointer), bytes,
                    MemoryKind::Host);
}
CUresult cuMemAllocHost_v2(void** pointer, std::size_t bytes) {
    return allocate("cuMemAllocHost_v2", reinterpret_cast<CUdeviceptr*>(pointer), bytes,
                    MemoryKind::Host);
}
CUresult cuMemFreeHost(void* pointer) {
    return release("cuMemFreeHost", reinterpret_cast<CUdeviceptr>(pointer), true);
}

CUresult cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
    std::uint64_t values[2]{};
    const bool usable = free != nullptr && total != nullptr;
    const CUresult result = information("cuMemGetInfo_v2", values[0], values[1], usable);
    if (result == CUDA_SUCCESS) {
        *free = values[0];
        *total = values[1];
    }
    return result;
}

CUresult cuMemGetInfo(unsigned* free, unsigned* total) {
    std::uint64_t values[2]{};
    const bool usable = free != nullptr && total != nullptr;
    const CUresult result = information("cuMemGetInfo", values[0], values[1], usable);
    if (result == CUDA_SUCCESS) {
        *free = narrow(values[0]);
        *total = narrow(values[1]);
    }
    return result;
}
