// Stream-ordered allocation and memory pools.
#include <array>
#include <cstring>

#include "tests/sim/driver/on_stream.h"
#include "tests/sim/driver/pool.h"

using sim::Call;
using sim::Driver;
using sim::MemoryKind;
using sim::or_own;

namespace {

// In a capture it becomes a node, which takes nothing yet.
CUresult capture_allocation(Driver& driver, CUstream stream, CUdevice device, std::size_t bytes,
                            CUdeviceptr& pointer) {
    if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    CUDA_MEM_ALLOC_NODE_PARAMS wanted{};
    wanted.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    wanted.poolProps.location = {CU_MEM_LOCATION_TYPE_DEVICE, {device}};
    wanted.bytesize = bytes;
    CUgraph graph = stream->capture->graph;
    sim::GraphAllocationPtr made;
    const CUresult result = sim::new_allocation(driver, graph, stream->captured, wanted, made);
    if (result != CUDA_SUCCESS) return result;
    CUgraphNode node = sim::capture_node(stream, CU_GRAPH_NODE_TYPE_MEM_ALLOC);
    if (node == nullptr) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    node->allocates = made;
    pointer = wanted.dptr;
    return CUDA_SUCCESS;
}

CUresult capture_free(Driver& driver, CUstream stream, CUdeviceptr pointer) {
    sim::GraphAllocationPtr freed;
    const CUresult result = sim::freed_in_graph(driver, stream->capture->graph, pointer, freed);
    if (result != CUDA_SUCCESS) return result;
    CUgraphNode node = sim::capture_node(stream, CU_GRAPH_NODE_TYPE_MEM_FREE);
    if (node == nullptr) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    sim::free_by(freed, node);
    return CUDA_SUCCESS;
}

// A launched graph's.
CUresult free_unfreed(Driver& driver, CUstream stream, CUdeviceptr pointer) {
    const sim::UnfreedPtr allocation = sim::find_unfreed(driver, pointer);
    if (allocation == nullptr) return CUDA_ERROR_INVALID_VALUE;
    allocation->freeing = true;
    return driver.enqueue(stream,
                          {[&driver, allocation] { sim::end_allocation(driver, allocation); }});
}

// The memory is there when the call returns; that its use comes later in the stream's order is the
// program's to see to.
CUresult allocate(const char* symbol, CUdeviceptr* pointer, std::size_t bytes, CUstream handle,
                  const CUmemoryPool* from) {
    return sim::on_stream(symbol, handle, [=](Driver& driver, CUstream stream, auto&) {
        if (from != nullptr && driver.pools.count(*from) == 0) return CUDA_ERROR_INVALID_VALUE;
        if (pointer == nullptr) return CUDA_ERROR_INVALID_VALUE;
        CUmemoryPool pool =
            from != nullptr ? *from : sim::current_pool(driver, stream->context->device);
        if (stream->capture != nullptr) {
            return capture_allocation(driver, stream, pool->device, bytes, *pointer);
        }
        const CUresult result = driver.enqueue(stream, {[] {}});
        if (result != CUDA_SUCCESS) return result;
        return sim::allocate_from(driver, pool, bytes, *pointer);
    });
}

CUresult release(const char* symbol, CUdeviceptr pointer, CUstream handle) {
    return sim::on_stream(symbol, handle, [=](Driver& driver, CUstream stream, auto&) {
        if (stream->capture != nullptr) return capture_free(driver, stream, pointer);
        if (pointer == 0) return driver.enqueue(stream, {[] {}});
        const auto found = driver.allocations.find(pointer);
        if (found == driver.allocations.end() || found->second.freeing) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        // Measured: what cuMemAlloc gave can be freed here too.
        const MemoryKind kind = found->second.kind;
        if (kind == MemoryKind::Graph) return free_unfreed(driver, stream, pointer);
        if (kind != MemoryKind::Pool && kind != MemoryKind::Device) return CUDA_ERROR_INVALID_VALUE;
        found->second.freeing = true;
        return driver.enqueue(stream,
                              {[&driver, pointer, kind] { driver.release(pointer, kind); }});
    });
}

// Runs `use(driver)` under the lock.
template <typename Use>
CUresult locked(const char* symbol, Use&& use) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    return call.done(use(*driver));
}

template <typename Use>
CUresult on_pool(const char* symbol, CUmemoryPool pool, Use&& use) {
    return locked(symbol, [&](Driver& driver) {
        return driver.pools.count(pool) != 0 ? use(driver) : CUDA_ERROR_INVALID_VALUE;
    });
}

// The pool of a device that `which` answers.
CUresult get_pool(const char* symbol, CUmemoryPool* pool, CUdevice device,
                  CUmemoryPool (*which)(Driver&, CUdevice)) {
    return locked(symbol, [=](Driver& driver) {
        if (!driver.valid(device)) return CUDA_ERROR_INVALID_DEVICE;
        if (pool == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *pool = which(driver, device);
        return CUDA_SUCCESS;
    });
}

// Where a 64-bit attribute is, or null.
std::uint64_t* counter(CUmemPoolHandle_st& pool, CUmemPool_attribute attribute) {
    switch (attribute) {
        case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
            return &pool.threshold;
        case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT:
            return &pool.reserved;
        case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
            return &pool.reserved_high;
        case CU_MEMPOOL_ATTR_USED_MEM_CURRENT:
            return &pool.used;
        case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
            return &pool.used_high;
        default:
            return nullptr;
    }
}

// The others are of type int.
int* reuse(CUmemPoolHandle_st& pool, CUmemPool_attribute attribute) {
    const bool known = attribute >= CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES &&
                       attribute <= CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES;
    return known ? &pool.reuse[attribute - CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES]
                 : nullptr;
}

// The high-water marks can only be set back.
CUresult set_counter(CUmemPoolHandle_st& pool, CUmemPool_attribute attribute, std::uint64_t value) {
    switch (attribute) {
        case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
            pool.threshold = value;
            return CUDA_SUCCESS;
        case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
            pool.reserved_high = pool.reserved;
            return value == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
        case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
            pool.used_high = pool.used;
            return value == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
        default:
            return CUDA_ERROR_INVALID_VALUE;
    }
}

}  // namespace

CUresult cuMemAllocAsync(CUdeviceptr* pointer, std::size_t bytes, CUstream stream) {
    return allocate("cuMemAllocAsync", pointer, bytes, stream, nullptr);
}
CUresult cuMemAllocAsync_ptsz(CUdeviceptr* pointer, std::size_t bytes, CUstream stream) {
    return allocate("cuMemAllocAsync_ptsz", pointer, bytes, or_own(stream), nullptr);
}
CUresult cuMemAllocFromPoolAsync(CUdeviceptr* pointer, std::size_t bytes, CUmemoryPool pool,
                                 CUstream stream) {
    return allocate("cuMemAllocFromPoolAsync", pointer, bytes, stream, &pool);
}
CUresult cuMemAllocFromPoolAsync_ptsz(CUdeviceptr* pointer, std::size_t bytes, CUmemoryPool pool,
                                      CUstream stream) {
    return allocate("cuMemAllocFromPoolAsync_ptsz", pointer, bytes, or_own(stream), &pool);
}
CUresult cuMemFreeAsync(CUdeviceptr pointer, CUstream stream) {
    return release("cuMemFreeAsync", pointer, stream);
}
CUresult cuMemFreeAsync_ptsz(CUdeviceptr pointer, CUstream stream) {
    return release("cuMemFreeAsync_ptsz", pointer, or_own(stream));
}

CUresult cuDeviceGetDefaultMemPool(CUmemoryPool* pool, CUdevice device) {
    return get_pool("cuDeviceGetDefaultMemPool", pool, device, sim::default_pool);
}
CUresult cuDeviceGetMemPool(CUmemoryPool* pool, CUdevice device) {
    return get_pool("cuDeviceGetMemPool", pool, device, sim::current_pool);
}
CUresult cuDeviceSetMemPool(CUdevice device, CUmemoryPool pool) {
    return on_pool("cuDeviceSetMemPool", pool, [=](Driver& driver) {
        if (!driver.valid(device)) return CUDA_ERROR_INVALID_DEVICE;
        if (pool->device != device) return CUDA_ERROR_INVALID_VALUE;
        driver.at(device).pool = pool;
        return CUDA_SUCCESS;
    });
}

CUresult cuMemPoolCreate(CUmemoryPool* pool, const CUmemPoolProps* properties) {
    return locked("cuMemPoolCreate", [=](Driver& driver) {
        if (pool == nullptr || properties == nullptr ||
            properties->allocType != CU_MEM_ALLOCATION_TYPE_PINNED ||
            properties->location.type != CU_MEM_LOCATION_TYPE_DEVICE ||
            !driver.valid(properties->location.id)) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        *pool = sim::make_pool(driver, properties->location.id);
        (*pool)->most = properties->maxSize;
        return CUDA_SUCCESS;
    });
}

CUresult cuMemPoolDestroy(CUmemoryPool pool) {
    return on_pool("cuMemPoolDestroy", pool, [=](Driver& driver) {
        sim::Device& device = driver.at(pool->device);
        if (pool == device.default_pool || pool->destroyed) return CUDA_ERROR_INVALID_VALUE;
        if (pool == device.pool) device.pool = nullptr;
        pool->destroyed = true;
        sim::end_unused(driver, pool);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemPoolTrimTo(CUmemoryPool pool, std::size_t keep) {
    return on_pool("cuMemPoolTrimTo", pool, [=](Driver& driver) {
        sim::trim(driver, pool, keep);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemPoolGetAttribute(CUmemoryPool pool, CUmemPool_attribute attribute, void* value) {
    return on_pool("cuMemPoolGetAttribute", pool, [=](Driver&) {
        if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (const std::uint64_t* number = counter(*pool, attribute)) {
            std::memcpy(value, number, sizeof *number);
        } else if (const int* flag = reuse(*pool, attribute)) {
            std::memcpy(value, flag, sizeof *flag);
        } else {
            return CUDA_ERROR_INVALID_VALUE;
        }
        return CUDA_SUCCESS;
    });
}

CUresult cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute attribute, void* value) {
    return on_pool("cuMemPoolSetAttribute", pool, [=](Driver&) {
        if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (int* flag = reuse(*pool, attribute)) {
            std::memcpy(flag, value, sizeof *flag);
            return CUDA_SUCCESS;
        }
        std::uint64_t number{};
        std::memcpy(&number, value, sizeof number);
        return set_counter(*pool, attribute, number);
    });
}
