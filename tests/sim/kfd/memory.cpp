#include "tests/sim/kfd/memory.h"

#include <cerrno>

#include "tests/sim/kfd/log.h"

namespace sim::kfd {
namespace {

// VRAM is accounted for in steps of 2 MiB: VRAM_AVAILABLITY_ALIGN in amdgpu_amdkfd_gpuvm.c.
constexpr std::uint64_t kStep = std::uint64_t{2} << 20;

std::uint64_t aligned(std::uint64_t bytes) { return (bytes + kStep - 1) / kStep * kStep; }

const char* kind(std::uint32_t flags) {
    if ((flags & KFD_IOC_ALLOC_MEM_FLAGS_VRAM) != 0) return "vram";
    if ((flags & KFD_IOC_ALLOC_MEM_FLAGS_GTT) != 0) return "gtt";
    if ((flags & KFD_IOC_ALLOC_MEM_FLAGS_USERPTR) != 0) return "userptr";
    if ((flags & KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL) != 0) return "doorbell";
    return "mmio_remap";
}

}  // namespace

std::uint64_t Memory::used(unsigned gpu) const {
    std::uint64_t sum = 0;
    for (const auto& [handle, allocation] : allocations_) {
        const bool vram = (allocation.flags & KFD_IOC_ALLOC_MEM_FLAGS_VRAM) != 0;
        if (vram && allocation.gpu == gpu) sum += aligned(allocation.bytes);
    }
    return sum;
}

int Memory::place(const Gpu& gpu, kfd_ioctl_alloc_memory_of_gpu_args& args,
                  Allocation& allocation) {
    if ((args.flags & KFD_IOC_ALLOC_MEM_FLAGS_USERPTR) != 0) {
        // What is an offset for mmap() elsewhere is the memory's address here.
        allocation.host = reinterpret_cast<void*>(args.mmap_offset);
        return 0;
    }
    if ((args.flags & KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL) != 0) {
        args.mmap_offset = 0;
        return 0;
    }
    if ((args.flags & KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP) != 0) {
        args.mmap_offset = kRemapOffset;
        return 0;
    }
    const bool vram = (args.flags & KFD_IOC_ALLOC_MEM_FLAGS_VRAM) != 0;
    if (vram && aligned(args.size) > gpu.vram - used(gpu.index)) return -ENOMEM;
    allocation.host = devices_.map(gpu.index, next_offset_, args.size);
    if (allocation.host == nullptr) return -ENOMEM;
    allocation.offset = next_offset_;
    args.mmap_offset = next_offset_;
    next_offset_ += aligned(args.size);
    return 0;
}

int Memory::allocate(kfd_ioctl_alloc_memory_of_gpu_args& args) {
    const Gpu* gpu = node_.by_gpu_id(args.gpu_id);
    if (gpu == nullptr || args.size == 0) return -EINVAL;
    const std::lock_guard lock(mutex_);
    Allocation allocation{args.va_addr, args.size, 0, nullptr, gpu->index, args.flags};
    const int error = place(*gpu, args, allocation);
    if (error != 0) return error;
    args.handle = next_handle_++;
    handles_[allocation.address] = args.handle;
    log("allocate", {{"gpu", gpu->index},
                     {"kind", kind(args.flags)},
                     {"bytes", args.size},
                     {"handle", args.handle}});
    allocations_.emplace(args.handle, allocation);
    return 0;
}

int Memory::release(std::uint64_t handle) {
    const std::lock_guard lock(mutex_);
    const auto found = allocations_.find(handle);
    if (found == allocations_.end()) return -EINVAL;
    const Allocation& allocation = found->second;
    if (allocation.offset != 0) {
        devices_.unmap(allocation.gpu, allocation.offset, allocation.host, allocation.bytes);
    }
    log("free", {{"gpu", allocation.gpu}, {"bytes", allocation.bytes}, {"handle", handle}});
    const auto at = handles_.find(allocation.address);
    if (at != handles_.end() && at->second == handle) handles_.erase(at);
    allocations_.erase(found);
    return 0;
}

std::uint64_t Memory::available(const Gpu& gpu) {
    const std::lock_guard lock(mutex_);
    return gpu.vram - used(gpu.index);
}

void* Memory::host(std::uint64_t address) {
    void* const same = reinterpret_cast<void*>(address);
    const std::lock_guard lock(mutex_);
    auto at = handles_.upper_bound(address);
    if (at == handles_.begin()) return same;
    const Allocation& allocation = allocations_.at((--at)->second);
    const std::uint64_t inside = address - allocation.address;
    if (inside >= allocation.bytes || allocation.host == nullptr) return same;
    return static_cast<char*>(allocation.host) + inside;
}

void* Memory::host_of_handle(std::uint64_t handle) {
    const std::lock_guard lock(mutex_);
    const auto found = allocations_.find(handle);
    return found == allocations_.end() ? nullptr : found->second.host;
}

}  // namespace sim::kfd
