// A device's memory for graphs: asked about, and given back.
#include <cstring>

#include "tests/sim/driver/on_graph.h"

using sim::Driver;

namespace {

template <typename Use>
CUresult on_device(const char* symbol, CUdevice device, Use&& use) {
    return sim::if_valid(
        symbol, [](Driver&) { return true; },
        [&](Driver& driver) {
            return driver.valid(device) ? use(driver, driver.at(device).graphs)
                                        : CUDA_ERROR_INVALID_DEVICE;
        });
}

}  // namespace

CUresult cuDeviceGraphMemTrim(CUdevice device) {
    return on_device("cuDeviceGraphMemTrim", device, [device](Driver& driver, sim::GraphPool&) {
        sim::trim_graph_memory(driver, device);
        return CUDA_SUCCESS;
    });
}

CUresult cuDeviceGetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute,
                                      void* value) {
    const auto answer = [=](Driver& driver, const sim::GraphPool& pool) {
        std::uint64_t number = 0;
        switch (attribute) {
            case CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT:
                number = sim::graph_memory_used(driver, device);
                break;
            case CU_GRAPH_MEM_ATTR_USED_MEM_HIGH:
                number = pool.used_high;
                break;
            case CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT:
                number = pool.reserved;
                break;
            case CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH:
                number = pool.reserved_high;
                break;
            default:
                return CUDA_ERROR_INVALID_VALUE;
        }
        if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
        std::memcpy(value, &number, sizeof number);
        return CUDA_SUCCESS;
    };
    return on_device("cuDeviceGetGraphMemAttribute", device, answer);
}

// Documented: the high-water marks can only be set back.
CUresult cuDeviceSetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute,
                                      void* value) {
    const auto set = [=](Driver& driver, sim::GraphPool& pool) {
        std::uint64_t number = 1;
        if (value != nullptr) std::memcpy(&number, value, sizeof number);
        if (number != 0) return CUDA_ERROR_INVALID_VALUE;
        switch (attribute) {
            case CU_GRAPH_MEM_ATTR_USED_MEM_HIGH:
                pool.used_high = sim::graph_memory_used(driver, device);
                return CUDA_SUCCESS;
            case CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH:
                pool.reserved_high = pool.reserved;
                return CUDA_SUCCESS;
            default:
                return CUDA_ERROR_INVALID_VALUE;
        }
    };
    return on_device("cuDeviceSetGraphMemAttribute", device, set);
}
