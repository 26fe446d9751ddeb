// A limit for the memory of each GPU.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>

#include "shim/amd/kfd.h"

namespace ration::amd {

// Counts what the kernel has allocated of the GPUs' own memory (the VRAM flag; host memory and
// doorbells pass), and answers ENOMEM, as a full GPU does, before more than the quota is allocated.
// No lock is held across the kernel's calls: an allocation may have to wait until another
// process's memory has been moved out. Meanwhile the thread is not cancelled, and its signal
// handlers wait: what they left by longjmp would be counted for ever. An interrupt that nothing
// handles still ends the program.
class Quota {
  public:
    using Limits = std::map<std::uint32_t, std::uint64_t>;  // bytes by KFD id

    // `page`: bytes of a page of this kernel, of which it allocates whole ones (PAGE_ALIGN in
    // amdgpu_amdkfd_gpuvm.c): 64 KiB on some of ARM's.
    Quota(kfd::Ioctl real, Limits limits, std::uint64_t page)
        : real_(real), limits_(std::move(limits)), page_(page) {}

    bool any() const { return !limits_.empty(); }

    // Requests kAllocateMemory, kFreeMemory and kAvailableMemory, answered as ioctl(2) does.
    int allocate(const kfd::Call& call);
    int free(const kfd::Call& call);
    // What the kernel says, or what is left of the quota if that is less.
    int available(const kfd::Call& call);

    // Bytes that are left of a GPU's quota; all ones if it has none.
    std::uint64_t left(std::uint32_t gpu_id) const;

  private:
    struct Block {
        std::uint32_t gpu_id;
        std::uint64_t bytes;
    };

    std::uint64_t in_pages(std::uint64_t bytes) const;
    bool knows(std::uint64_t handle) const;
    bool reserve(const Block& block);
    void release(const Block& block);

    const kfd::Ioctl real_;
    const Limits limits_;
    const std::uint64_t page_;
    mutable std::mutex mutex_;
    std::map<std::uint32_t, std::uint64_t> used_;
    std::map<std::uint64_t, Block> blocks_;  // by the kernel's handle
};

}  // namespace ration::amd
