// Physical memory that has no address of its own, and address space that it is mapped to.
#pragma once
#include <cstddef>

#include "tests/sim/driver/api.h"

namespace sim {

// Of physical memory, and of what is mapped: 2 MiB on every model.
constexpr std::size_t kMappingUnit = std::size_t{2} << 20;

struct Physical {
    CUmemAllocationProp properties;
    std::size_t bytes;
    void* backing;  // host memory, shared with every mapping of it
    int uses;       // handles and mappings: it is given back with the last
    bool on_device() const { return properties.location.type == CU_MEM_LOCATION_TYPE_DEVICE; }
};

}  // namespace sim
