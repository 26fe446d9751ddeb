#include "tests/sim/driver/pool.h"

#include <algorithm>

#include "tests/sim/driver/allocation.h"

namespace sim {
namespace {

// By which a pool grows.
constexpr std::uint64_t kChunk = 32 * kMiB;

CUresult grow(Driver& driver, CUmemoryPool pool, std::uint64_t used) {
    if (used <= pool->reserved) return CUDA_SUCCESS;
    const std::uint64_t wanted = round_up(used, kChunk);
    if (pool->most != 0 && used > pool->most) return CUDA_ERROR_OUT_OF_MEMORY;
    const CUresult result = driver.charge(pool->device, wanted - pool->reserved);
    if (result != CUDA_SUCCESS) return result;
    pool->reserved = wanted;
    pool->reserved_high = std::max(pool->reserved_high, wanted);
    return CUDA_SUCCESS;
}

}  // namespace

CUmemoryPool make_pool(Driver& driver, CUdevice device) {
    CUmemoryPool pool = new CUmemPoolHandle_st{device};
    driver.pools.insert(pool);
    return pool;
}

CUmemoryPool default_pool(Driver& driver, CUdevice device) {
    CUmemoryPool& pool = driver.at(device).default_pool;
    if (pool == nullptr) pool = make_pool(driver, device);
    return pool;
}

CUmemoryPool current_pool(Driver& driver, CUdevice device) {
    CUmemoryPool pool = driver.at(device).pool;
    return pool != nullptr ? pool : default_pool(driver, device);
}

CUresult allocate_from(Driver& driver, CUmemoryPool pool, std::size_t bytes, CUdeviceptr& pointer) {
    constexpr std::size_t kUnit = 512;
    pointer = 0;
    if (bytes == 0) return CUDA_SUCCESS;  // measured
    if (bytes > driver.at(pool->device).memory) return CUDA_ERROR_OUT_OF_MEMORY;
    const std::size_t whole = round_up(bytes, kUnit);
    const CUresult result = grow(driver, pool, pool->used + whole);
    if (result != CUDA_SUCCESS) return result;
    const std::size_t mapped = whole_pages(bytes);
    void* memory = map_host(mapped);
    if (memory == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    pool->used += whole;
    pool->used_high = std::max(pool->used_high, pool->used);
    pointer = reinterpret_cast<CUdeviceptr>(memory);
    driver.allocations[pointer] = {MemoryKind::Pool, pool->device, nullptr, whole, 0, 0,
                                   mapped,           pool};
    return CUDA_SUCCESS;
}

void give_back(Driver& driver, CUmemoryPool pool, std::uint64_t bytes) {
    pool->used -= bytes;
    end_unused(driver, pool);
}

void trim(Driver& driver, CUmemoryPool pool, std::uint64_t keep) {
    if (keep >= pool->reserved) return;
    const std::uint64_t needed = round_up(std::max(pool->used, keep), kChunk);
    if (needed >= pool->reserved) return;
    driver.at(pool->device).used -= pool->reserved - needed;
    pool->reserved = needed;
}

void trim_to_thresholds(Driver& driver) {
    for (CUmemoryPool pool : driver.pools) trim(driver, pool, pool->threshold);
}

void end_unused(Driver& driver, CUmemoryPool pool) {
    if (!pool->destroyed || pool->used != 0) return;
    trim(driver, pool, 0);
    driver.pools.erase(pool);
    delete pool;
}

}  // namespace sim
