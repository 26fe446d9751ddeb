// What AMDKFD_IOC_ALLOC_MEMORY_OF_GPU hands out, and how much of a GPU is left.
#pragma once
#include <linux/kfd_ioctl.h>

#include <cstdint>
#include <map>
#include <mutex>

#include "tests/sim/kfd/devices.h"
#include "tests/sim/kfd/models.h"

namespace sim::kfd {

class Memory {
  public:
    Memory(const Node& node, const Devices& devices) : node_(node), devices_(devices) {}

    // 0 or -errno, as the ioctls.
    int allocate(kfd_ioctl_alloc_memory_of_gpu_args& args);
    int release(std::uint64_t handle);

    // Bytes of VRAM that are left. Accounting is per process.
    std::uint64_t available(const Gpu& gpu);

    // Where the host sees what is at a GPU's address: the simulation's own mapping, since a program
    // may have none that it can read. An address that was not allocated is the host's.
    void* host(std::uint64_t address);
    // The same of a whole allocation; nullptr if there is no such handle.
    void* host_of_handle(std::uint64_t handle);

  private:
    struct Allocation {
        std::uint64_t address;
        std::uint64_t bytes;
        std::uint64_t offset;  // in the render node's file; 0 if it has no place there
        void* host;
        unsigned gpu;
        std::uint32_t flags;
    };
    std::uint64_t used(unsigned gpu) const;
    int place(const Gpu& gpu, kfd_ioctl_alloc_memory_of_gpu_args& args, Allocation& allocation);

    const Node& node_;
    const Devices& devices_;
    std::mutex mutex_;
    std::uint64_t next_offset_ = std::uint64_t{2} << 20;
    std::uint64_t next_handle_ = 1;
    std::map<std::uint64_t, Allocation> allocations_;  // by handle
    std::map<std::uint64_t, std::uint64_t> handles_;   // by address
};

}  // namespace sim::kfd
