// The pools of stream-ordered allocation, and the memory of graphs.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>

#include "shim/cuda/api.h"
#include "shim/cuda/quota/hoard.h"

namespace ration::cuda::quota {

// Numbers from 1, as Note has them.
class Pools {
  public:
    static constexpr CUdevice kNoDevice = -1;  // of host memory, which no quota counts
    // Note::number. At 32 MiB, which is the least that a pool with memory has of its device
    // (measured: H100, driver 580.159.04), they have 512 GiB.
    static constexpr unsigned kMost = (1U << 14) - 1;

    struct Pool {
        std::atomic<CUmemoryPool> handle{nullptr};  // null: destroyed, or never used
        std::atomic<CUdevice> device{kNoDevice};
        Hoard hoard;
    };

    // The pool's number. One that is not known is `device`'s. 0: there are too many, or there is no
    // memory for one more.
    unsigned number(CUmemoryPool handle, CUdevice device);

    // The program has just made it.
    void made(CUmemoryPool handle, CUdevice device) { number(handle, device); }

    // While it is destroyed, and afterwards: nobody finds it, and as long as it has memory nobody
    // else gets its number. 0: unknown.
    unsigned destroyed(CUmemoryPool handle);
    // The driver has refused that.
    void back(unsigned number, CUmemoryPool handle);

    Pool& operator[](unsigned number) { return at(number - 1); }
    unsigned count() const { return count_.load(std::memory_order_acquire); }

  private:
    unsigned find(CUmemoryPool handle) const;

    static constexpr unsigned kTogether = 256;
    using Chunk = std::array<Pool, kTogether>;
    Pool& at(unsigned index) const { return (*chunks_[index / kTogether])[index % kTogether]; }

    // Each is there before count_ says so, and stays: most programs need one.
    std::array<std::unique_ptr<Chunk>, kMost / kTogether + 1> chunks_;
    std::atomic<unsigned> count_{0};
    std::mutex mutex_;  // of adding
};

}  // namespace ration::cuda::quota
