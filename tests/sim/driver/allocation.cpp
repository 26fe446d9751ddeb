// Device memory: accounting, and the host memory that stands for it.
#include "tests/sim/driver/allocation.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "tests/sim/driver/driver.h"
#include "tests/sim/driver/pool.h"
#include "tests/sim/driver/share.h"

namespace sim {

std::size_t whole_pages(std::size_t bytes) {
    return round_up(bytes, static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
}

void* map_host(std::size_t bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory != MAP_FAILED ? memory : nullptr;
}

std::uint64_t Driver::free_bytes(const Device& device) const {
    const std::uint64_t taken = device.used + (mps_enabled ? server_bytes() : 0);
    const std::uint64_t of_device = device.memory - std::min(taken, device.memory);
    if (!device.limit) return of_device;
    return std::min(of_device, *device.limit - std::min(device.used, *device.limit));
}

// Measured: what pools hold unused is given up when the memory is needed.
CUresult Driver::charge(CUdevice ordinal, std::uint64_t bytes) {
    Device& device = at(ordinal);
    if (bytes > free_bytes(device)) {
        for (CUmemoryPool pool : pools) {
            if (pool->device == ordinal) trim(*this, pool, 0);
        }
    }
    if (bytes > free_bytes(device)) return CUDA_ERROR_OUT_OF_MEMORY;
    device.used += bytes;
    return CUDA_SUCCESS;
}

namespace {

// Measured: up to 1 MiB shares blocks of 2 MiB, more has blocks of its own. How shared ones are
// filled isn't known; here without gaps.
constexpr std::uint64_t kBlock = 2 * kMiB;
constexpr std::uint64_t kLargestShared = kMiB;

}  // namespace

CUresult Driver::allocate(CUcontext context, std::size_t bytes, MemoryKind kind,
                          CUdeviceptr& pointer, std::size_t taken) {
    constexpr std::size_t kUnit = 512;
    if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    Device& device = at(context->device);
    // Managed memory is the device's only where it is touched, and may be more than there is.
    const bool elsewhere = kind == MemoryKind::Host || kind == MemoryKind::Managed;
    if (!elsewhere && bytes > device.memory) return CUDA_ERROR_OUT_OF_MEMORY;
    const std::size_t whole = round_up(std::max(bytes, taken), kUnit);
    const bool shares = !elsewhere && whole <= kLargestShared;
    std::uint64_t charged = 0;
    if (shares) {
        charged = round_up(device.small + whole, kBlock) - round_up(device.small, kBlock);
    } else if (!elsewhere) {
        charged = round_up(whole, kBlock);
    }
    const CUresult result = charge(context->device, charged);
    if (result != CUDA_SUCCESS) return result;
    const std::size_t mapped = whole_pages(bytes);
    void* memory = map_host(mapped);
    if (memory == nullptr) {
        device.used -= charged;
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    if (shares) device.small += whole;
    pointer = reinterpret_cast<CUdeviceptr>(memory);
    allocations[pointer] = {kind,
                            context->device,
                            context->root,
                            round_up(bytes, kUnit),
                            shares ? 0 : charged,
                            shares ? whole : 0,
                            mapped};
    return CUDA_SUCCESS;
}

CUresult Driver::release(CUdeviceptr pointer, MemoryKind kind) {
    const auto found = allocations.find(pointer);
    if (found == allocations.end() || found->second.kind != kind) return CUDA_ERROR_INVALID_VALUE;
    if (kind == MemoryKind::Graph) {
        const UnfreedPtr allocation = find_unfreed(*this, pointer);
        if (allocation == nullptr) return CUDA_ERROR_INVALID_VALUE;
        end_allocation(*this, allocation);
        return CUDA_SUCCESS;
    }
    const Allocation allocation = found->second;
    allocations.erase(found);
    munmap(reinterpret_cast<void*>(pointer), allocation.mapped);
    Device& device = at(allocation.device);
    const std::uint64_t before = round_up(device.small, kBlock);
    device.small -= allocation.small;
    device.used -= allocation.charged + before - round_up(device.small, kBlock);
    if (allocation.pool != nullptr) give_back(*this, allocation.pool, allocation.bytes);
    return CUDA_SUCCESS;
}

// Mappings that lie side by side are one range.
bool Driver::covers(CUdeviceptr pointer, std::size_t bytes) const {
    auto next = allocations.upper_bound(pointer);
    if (next == allocations.begin()) return false;
    for (--next; next != allocations.end(); ++next) {
        const auto& [start, allocation] = *next;
        if (!allocation.accessible || pointer < start || pointer - start > allocation.bytes) break;
        const std::size_t here = allocation.bytes - (pointer - start);
        if (bytes <= here) return true;
        if (allocation.kind != MemoryKind::Mapping) break;
        pointer += here;
        bytes -= here;
    }
    return false;
}

bool Driver::on_host(CUdeviceptr pointer) const {
    auto next = allocations.upper_bound(pointer);
    if (next == allocations.begin()) return false;
    const auto& [start, allocation] = *--next;
    return allocation.kind == MemoryKind::Host && pointer - start < allocation.bytes;
}

}  // namespace sim
