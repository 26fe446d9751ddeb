// The device files: memory files, so that a real mmap() of them works and needs no interposition.
// /dev/kfd holds the doorbells, /dev/dri/renderD<128 + n> the memory of GPU n.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sim::kfd {

struct DeviceFile {
    bool is_kfd;
    unsigned gpu;  // of a render node
    int owner;     // the process that opened it: amdkfd serves no other
};

// What `fd` is, also if it was opened before a fork(). False if it is no simulated device.
// Async-signal-safe.
bool device_of(int fd, DeviceFile& file);

// Where things are in /dev/kfd.
constexpr std::uint64_t kDoorbellsBytes = 8192;  // 1024 doorbells of 64 bits, by queue
constexpr std::uint64_t kRemapOffset = std::uint64_t{16} << 20;
constexpr unsigned kDoorbells = 1024;

class Devices {
  public:
    explicit Devices(std::size_t gpus);

    // A new descriptor; -1 and errno if there is none to be had.
    int open_kfd(int flags) const;
    int open_render(unsigned gpu, int flags) const;

    // A queue's number is its own in the process, whatever its GPU, so one page serves all.
    std::uint64_t* doorbell(unsigned queue) const { return doorbells_ + queue % kDoorbells; }
    // Maps memory of a GPU at its offset in the render node's file; nullptr if it can't be.
    void* map(unsigned gpu, std::uint64_t offset, std::uint64_t bytes) const;
    // Unmaps it and gives it back to the system.
    void unmap(unsigned gpu, std::uint64_t offset, void* memory, std::uint64_t bytes) const;

  private:
    int kfd_ = -1;
    std::vector<int> render_;
    std::uint64_t* doorbells_ = nullptr;
};

}  // namespace sim::kfd
