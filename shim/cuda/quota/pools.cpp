#include "shim/cuda/quota/pools.h"

#include <new>

#include "shim/host/undisturbed_lock.h"

namespace ration::cuda::quota {

unsigned Pools::find(CUmemoryPool handle) const {
    const unsigned count = this->count();
    for (unsigned i = 0; i < count; ++i) {
        if (at(i).handle.load(std::memory_order_acquire) == handle) return i + 1;
    }
    return 0;
}

unsigned Pools::number(CUmemoryPool handle, CUdevice device) {
    if (handle == nullptr) return 0;
    if (const unsigned known = find(handle)) return known;
    const host::UndisturbedLock lock(mutex_);
    if (const unsigned known = find(handle)) return known;
    const unsigned count = count_.load(std::memory_order_relaxed);
    for (unsigned i = 0; i < kMost; ++i) {
        std::unique_ptr<Chunk>& chunk = chunks_[i / kTogether];
        if (chunk == nullptr) chunk.reset(new (std::nothrow) Chunk);
        if (chunk == nullptr) break;
        Pool& pool = at(i);
        const bool unused =
            pool.handle.load(std::memory_order_relaxed) == nullptr && pool.hoard.charged() == 0;
        if (!unused) continue;
        pool.device.store(device, std::memory_order_relaxed);
        pool.handle.store(handle, std::memory_order_release);
        if (i == count) count_.store(count + 1, std::memory_order_release);
        return i + 1;
    }
    return 0;
}

unsigned Pools::destroyed(CUmemoryPool handle) {
    const unsigned number = find(handle);
    if (number != 0) back(number, nullptr);
    return number;
}

void Pools::back(unsigned number, CUmemoryPool handle) {
    (*this)[number].handle.store(handle, std::memory_order_release);
}

}  // namespace ration::cuda::quota
