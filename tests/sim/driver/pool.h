// Memory pools: what stream-ordered allocations take from. A pool's memory is the device's until it
// is trimmed, which happens when somebody synchronises.
#pragma once
#include <cstdint>

#include "tests/sim/driver/driver.h"

// The handle's type is cuda.h's, so it lives outside the namespace.
struct CUmemPoolHandle_st {
    CUdevice device;
    bool destroyed = false;       // it ends with the last of its memory
    int reuse[3] = {1, 1, 1};     // CU_MEMPOOL_ATTR_REUSE_...: kept, without effect here
    std::uint64_t threshold = 0;  // CU_MEMPOOL_ATTR_RELEASE_THRESHOLD
    std::uint64_t most = 0;       // bytes, or 0: no limit of its own
    std::uint64_t used = 0;
    std::uint64_t reserved = 0;  // charged to the device
    std::uint64_t used_high = 0;
    std::uint64_t reserved_high = 0;
};

namespace sim {

CUmemoryPool make_pool(Driver& driver, CUdevice device);
// The device's own pool, made if need be.
CUmemoryPool default_pool(Driver& driver, CUdevice device);
// What cuMemAllocAsync takes from.
CUmemoryPool current_pool(Driver& driver, CUdevice device);
CUresult allocate_from(Driver& driver, CUmemoryPool pool, std::size_t bytes, CUdeviceptr& pointer);
// So many bytes are used no longer.
void give_back(Driver& driver, CUmemoryPool pool, std::uint64_t bytes);
// Gives to the device what the pool doesn't use, but keeps `keep` bytes.
void trim(Driver& driver, CUmemoryPool pool, std::uint64_t keep);
// What a synchronisation does to all pools.
void trim_to_thresholds(Driver& driver);
// Ends a pool that was destroyed and has nothing left.
void end_unused(Driver& driver, CUmemoryPool pool);

}  // namespace sim
