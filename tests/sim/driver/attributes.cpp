#include "tests/sim/driver/attributes.h"

namespace sim {
namespace {

// The last attribute in the cuda.h of each release.
int last_attribute() {
    if (kDriverVersion < 12000) return CU_DEVICE_ATTRIBUTE_MEMPOOL_SUPPORTED_HANDLE_TYPES;
    if (kDriverVersion < 12080) return CU_DEVICE_ATTRIBUTE_HOST_NUMA_ID;
    if (kDriverVersion < 13000) return CU_DEVICE_ATTRIBUTE_GPU_PCI_SUBSYSTEM_ID;
    return CU_DEVICE_ATTRIBUTE_ONLY_PARTIAL_HOST_NATIVE_ATOMIC_SUPPORTED;
}

}  // namespace

bool attribute_known(CUdevice_attribute attribute) {
    return attribute >= CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK && attribute <= last_attribute();
}

int attribute_value(CUdevice_attribute attribute, const Device& device, bool mps) {
    switch (attribute) {
        case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
            return device.sm_granted;
        case CU_DEVICE_ATTRIBUTE_MPS_ENABLED:
            return mps ? 1 : 0;
        case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
            return device.gpu->major;
        case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
            return device.gpu->minor;
        case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID:
            return device.gpu->pci_bus;
        case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
        case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
        case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y:
            return 1024;
        case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z:
            return 64;
        case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X:
            return 0x7fffffff;
        case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
        case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z:
            return 65535;
        case CU_DEVICE_ATTRIBUTE_WARP_SIZE:
            return 32;
        case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK:
            return 49152;
        case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR:
            return 2048;
        case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
        case CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY:
        case CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS:
        case CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH:
        case CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED:
        case CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED:
        case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED:
            return 1;
        default:
            return 0;
    }
}

}  // namespace sim
