#include "tests/sim/driver/virtual_memory.h"

#include <sys/mman.h>

#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"

using sim::Allocation;
using sim::Call;
using sim::Driver;
using sim::kMappingUnit;
using sim::MemoryKind;
using sim::Physical;

namespace {

// Runs `use(driver)` under the lock.
template <typename Use>
CUresult locked(const char* symbol, std::size_t bytes, Use&& use) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    return call.done(use(*driver), "bytes=%zu", bytes);
}

bool whole_units(std::uint64_t bytes) { return bytes != 0 && bytes % kMappingUnit == 0; }

void drop(Driver& driver, CUmemGenericAllocationHandle handle) {
    const auto found = driver.physicals.find(handle);
    if (--found->second.uses > 0) return;
    const Physical physical = found->second;
    driver.physicals.erase(found);
    munmap(physical.backing, physical.bytes);
    if (physical.on_device()) driver.at(physical.properties.location.id).used -= physical.bytes;
}

bool usable(const Driver& driver, const CUmemAllocationProp& properties) {
    const CUmemLocation& place = properties.location;
    if (properties.type != CU_MEM_ALLOCATION_TYPE_PINNED) return false;
    if (place.type == CU_MEM_LOCATION_TYPE_DEVICE) return driver.valid(place.id);
    return place.type >= CU_MEM_LOCATION_TYPE_HOST &&
           place.type <= CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT;
}

CUresult create(Driver& driver, CUmemGenericAllocationHandle& handle, std::size_t bytes,
                const CUmemAllocationProp& properties) {
    if (!whole_units(bytes) || !usable(driver, properties)) return CUDA_ERROR_INVALID_VALUE;
    Physical physical{properties, bytes, nullptr, 1};
    CUresult result = CUDA_SUCCESS;
    if (physical.on_device()) result = driver.charge(properties.location.id, bytes);
    if (result != CUDA_SUCCESS) return result;
    physical.backing = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (physical.backing == MAP_FAILED) {
        if (physical.on_device()) driver.at(properties.location.id).used -= bytes;
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    handle = ++driver.last_physical;
    driver.physicals[handle] = physical;
    return CUDA_SUCCESS;
}

// Address space that nothing can be read from or written to.
void* no_access(void* where, std::size_t bytes, int flags) {
    return mmap(where, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1,
                0);
}

CUresult reserve(Driver& driver, CUdeviceptr& pointer, std::size_t bytes, std::size_t alignment) {
    const std::size_t unit = alignment > kMappingUnit ? alignment : kMappingUnit;
    if (!whole_units(bytes) || (unit & (unit - 1)) != 0) return CUDA_ERROR_INVALID_VALUE;
    void* start = no_access(nullptr, bytes + unit, 0);
    if (start == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
    const auto first = reinterpret_cast<CUdeviceptr>(start);
    pointer = (first + unit - 1) / unit * unit;
    if (pointer > first) munmap(start, pointer - first);
    munmap(reinterpret_cast<void*>(pointer + bytes), first + unit - pointer);
    driver.reservations[pointer] = bytes;
    return CUDA_SUCCESS;
}

// Whether the range lies in one reservation and nothing is mapped in it.
bool vacant(const Driver& driver, CUdeviceptr pointer, std::size_t bytes) {
    auto reserved = driver.reservations.upper_bound(pointer);
    if (reserved == driver.reservations.begin()) return false;
    --reserved;
    const std::size_t offset = pointer - reserved->first;
    if (offset > reserved->second || bytes > reserved->second - offset) return false;
    const auto after = driver.allocations.lower_bound(pointer + bytes);
    if (after == driver.allocations.begin()) return true;
    const auto& [start, allocation] = *std::prev(after);
    return start + allocation.bytes <= pointer;
}

CUresult map(Driver& driver, CUdeviceptr pointer, std::size_t bytes,
             CUmemGenericAllocationHandle handle) {
    const auto found = driver.physicals.find(handle);
    if (found == driver.physicals.end() || bytes != found->second.bytes ||
        pointer % kMappingUnit != 0 || !vacant(driver, pointer, bytes)) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    // An old size of 0: a second mapping of the same pages (mremap(2)).
    void* mapped = mremap(found->second.backing, 0, bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
                          reinterpret_cast<void*>(pointer));
    if (mapped == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
    ++found->second.uses;
    const CUdevice device =
        found->second.on_device() ? found->second.properties.location.id : CUdevice{0};
    Allocation allocation{MemoryKind::Mapping, device, nullptr, bytes, 0, 0, bytes};
    allocation.handle = handle;
    allocation.accessible = false;
    driver.allocations[pointer] = allocation;
    return CUDA_SUCCESS;
}

// Runs `use(mapping)` for every mapping of the range, if it is made of whole ones.
template <typename Use>
CUresult on_mappings(Driver& driver, CUdeviceptr pointer, std::size_t bytes, Use&& use) {
    std::vector<std::pair<CUdeviceptr, Allocation*>> found;
    for (CUdeviceptr next = pointer; next < pointer + bytes;) {
        const auto at = driver.allocations.find(next);
        if (at == driver.allocations.end() || at->second.kind != MemoryKind::Mapping) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        found.emplace_back(next, &at->second);
        next += at->second.bytes;
        if (next > pointer + bytes) return CUDA_ERROR_INVALID_VALUE;
    }
    if (found.empty()) return CUDA_ERROR_INVALID_VALUE;
    for (const auto& [start, mapping] : found) use(start, *mapping);
    return CUDA_SUCCESS;
}

}  // namespace

CUresult cuMemGetAllocationGranularity(std::size_t* unit, const CUmemAllocationProp* properties,
                                       CUmemAllocationGranularity_flags) {
    return locked("cuMemGetAllocationGranularity", 0, [=](Driver& driver) {
        if (unit == nullptr || properties == nullptr || !usable(driver, *properties)) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        *unit = kMappingUnit;
        return CUDA_SUCCESS;
    });
}

CUresult cuMemCreate(CUmemGenericAllocationHandle* handle, std::size_t bytes,
                     const CUmemAllocationProp* properties, unsigned long long flags) {
    return locked("cuMemCreate", bytes, [=](Driver& driver) {
        if (handle == nullptr || properties == nullptr || flags != 0) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        return create(driver, *handle, bytes, *properties);
    });
}

CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
    return locked("cuMemRelease", 0, [=](Driver& driver) {
        if (driver.physicals.count(handle) == 0) return CUDA_ERROR_INVALID_VALUE;
        drop(driver, handle);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle* handle, void* address) {
    return locked("cuMemRetainAllocationHandle", 0, [=](Driver& driver) {
        const auto pointer = reinterpret_cast<CUdeviceptr>(address);
        auto found = driver.allocations.upper_bound(pointer);
        if (handle == nullptr || found == driver.allocations.begin()) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        const auto& [start, mapping] = *--found;
        if (mapping.handle == 0 || pointer - start >= mapping.bytes) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        *handle = mapping.handle;
        ++driver.physicals[mapping.handle].uses;
        return CUDA_SUCCESS;
    });
}

CUresult cuMemGetAllocationPropertiesFromHandle(CUmemAllocationProp* properties,
                                                CUmemGenericAllocationHandle handle) {
    return locked("cuMemGetAllocationPropertiesFromHandle", 0, [=](Driver& driver) {
        const auto found = driver.physicals.find(handle);
        if (properties == nullptr || found == driver.physicals.end()) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        *properties = found->second.properties;
        return CUDA_SUCCESS;
    });
}

// The address that the program would like is a wish, and not granted here.
CUresult cuMemAddressReserve(CUdeviceptr* pointer, std::size_t bytes, std::size_t alignment,
                             CUdeviceptr, unsigned long long flags) {
    return locked("cuMemAddressReserve", bytes, [=](Driver& driver) {
        if (pointer == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
        return reserve(driver, *pointer, bytes, alignment);
    });
}

CUresult cuMemAddressFree(CUdeviceptr pointer, std::size_t bytes) {
    return locked("cuMemAddressFree", bytes, [=](Driver& driver) {
        const auto found = driver.reservations.find(pointer);
        if (found == driver.reservations.end() || found->second != bytes ||
            !vacant(driver, pointer, bytes)) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        munmap(reinterpret_cast<void*>(pointer), bytes);
        driver.reservations.erase(found);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemMap(CUdeviceptr pointer, std::size_t bytes, std::size_t offset,
                  CUmemGenericAllocationHandle handle, unsigned long long flags) {
    return locked("cuMemMap", bytes, [=](Driver& driver) {
        if (offset != 0) return CUDA_ERROR_NOT_SUPPORTED;
        if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
        return map(driver, pointer, bytes, handle);
    });
}

CUresult cuMemUnmap(CUdeviceptr pointer, std::size_t bytes) {
    return locked("cuMemUnmap", bytes, [=](Driver& driver) {
        if (vacant(driver, pointer, bytes)) return CUDA_SUCCESS;  // measured
        return on_mappings(driver, pointer, bytes, [&](CUdeviceptr start, const Allocation& it) {
            const CUmemGenericAllocationHandle handle = it.handle;
            no_access(reinterpret_cast<void*>(start), it.bytes, MAP_FIXED);
            driver.allocations.erase(start);
            drop(driver, handle);
        });
    });
}

CUresult cuMemSetAccess(CUdeviceptr pointer, std::size_t bytes, const CUmemAccessDesc* access,
                        std::size_t count) {
    return locked("cuMemSetAccess", bytes, [=](Driver& driver) {
        if (access == nullptr || count == 0) return CUDA_ERROR_INVALID_VALUE;
        return on_mappings(driver, pointer, bytes, [&](CUdeviceptr, Allocation& mapping) {
            mapping.accessible = access[0].flags != CU_MEM_ACCESS_FLAGS_PROT_NONE;
        });
    });
}
