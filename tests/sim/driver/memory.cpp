// Device memory: accounting, and the host memory that stands for it.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>

#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"
#include "tests/sim/driver/share.h"

namespace sim {
namespace {

std::size_t round_up(std::size_t bytes, std::size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

}  // namespace

std::uint64_t Driver::free_bytes(const Device& device) const {
    const std::uint64_t taken = device.used + (mps_enabled ? server_bytes() : 0);
    const std::uint64_t of_device = device.memory - std::min(taken, device.memory);
    if (!device.limit) return of_device;
    return std::min(of_device, *device.limit - std::min(device.used, *device.limit));
}

CUresult Driver::allocate(CUcontext context, std::size_t bytes, bool on_host,
                          CUdeviceptr& pointer) {
    if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    Device& device = at(context->device);
    constexpr std::size_t kUnit = 512;
    if (bytes > device.memory) return CUDA_ERROR_OUT_OF_MEMORY;
    const std::size_t whole = round_up(bytes, kUnit);
    const std::size_t charged = on_host ? 0 : whole;
    if (charged > free_bytes(device)) return CUDA_ERROR_OUT_OF_MEMORY;
    const std::size_t mapped = round_up(bytes, static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
    void* memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
    pointer = reinterpret_cast<CUdeviceptr>(memory);
    allocations[pointer] = {context->root, whole, charged, mapped, on_host};
    device.used += charged;
    return CUDA_SUCCESS;
}

CUresult Driver::release(CUdeviceptr pointer, bool on_host) {
    const auto found = allocations.find(pointer);
    if (found == allocations.end() || found->second.on_host != on_host) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    munmap(reinterpret_cast<void*>(pointer), found->second.mapped);
    at(found->second.context->device).used -= found->second.charged;
    allocations.erase(found);
    return CUDA_SUCCESS;
}

bool Driver::covers(CUdeviceptr pointer, std::size_t bytes) const {
    auto next = allocations.upper_bound(pointer);
    if (next == allocations.begin()) return false;
    const auto& [start, allocation] = *--next;
    const std::size_t offset = pointer - start;
    return offset <= allocation.bytes && bytes <= allocation.bytes - offset;
}

}  // namespace sim

using sim::Call;
using sim::Driver;

namespace {

CUresult allocate(const char* symbol, CUdeviceptr* pointer, std::size_t bytes,
                  bool on_host = false) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    CUresult result{};
    CUcontext context = driver->usable_context(result);
    if (context != nullptr) result = sim::unsafe_allowed(*driver);
    if (result == CUDA_SUCCESS) {
        result = pointer != nullptr ? driver->allocate(context, bytes, on_host, *pointer)
                                    : CUDA_ERROR_INVALID_VALUE;
    }
    return call.done(result, "bytes=%zu", bytes);
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
        result = driver->release(pointer, on_host);
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
    return allocate("cuMemAllocManaged", pointer, bytes);
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
    return allocate("cuMemHostAlloc", reinterpret_cast<CUdeviceptr*>(pointer), bytes, true);
}
CUresult cuMemAllocHost_v2(void** pointer, std::size_t bytes) {
    return allocate("cuMemAllocHost_v2", reinterpret_cast<CUdeviceptr*>(pointer), bytes, true);
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
