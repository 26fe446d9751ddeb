// The few declarations of NVML that we use, written down from the documented interface ("NVML API
// Reference Guide"; the names are those of nvml.h). The vendor's header is not needed to build.
#pragma once

namespace ration::cuda::nvml {

using Result = int;  // nvmlReturn_t
inline constexpr Result kSuccess = 0;

using Device = struct Opaque*;  // nvmlDevice_t

struct PciInfo {  // nvmlPciInfo_t
    char bus_id_legacy[16];
    unsigned domain, bus, device;
    unsigned device_id, subsystem_id;
    char bus_id[32];
};
static_assert(sizeof(PciInfo) == 68);

struct Memory {  // nvmlMemory_t: bytes
    unsigned long long total, free, used;
};

struct Attributes {  // nvmlDeviceAttributes_t
    unsigned multiprocessors;
    unsigned copy_engines, decoders, encoders, jpegs, ofas;
    unsigned gpu_slices, compute_slices;
    unsigned long long memory_mib;
};
static_assert(sizeof(Attributes) == 40);

// name in Library, exported name, parameters. Those that an older library lacks stay null.
#define RATION_NVML_CALLS(CALL)                                                          \
    CALL(init, nvmlInit_v2, ())                                                          \
    CALL(shutdown, nvmlShutdown, ())                                                     \
    CALL(count, nvmlDeviceGetCount_v2, (unsigned*))                                      \
    CALL(by_index, nvmlDeviceGetHandleByIndex_v2, (unsigned, Device*))                   \
    CALL(uuid, nvmlDeviceGetUUID, (Device, char*, unsigned))                             \
    CALL(name, nvmlDeviceGetName, (Device, char*, unsigned))                             \
    CALL(pci, nvmlDeviceGetPciInfo_v3, (Device, PciInfo*))                               \
    CALL(memory, nvmlDeviceGetMemoryInfo, (Device, Memory*))                             \
    CALL(cores, nvmlDeviceGetNumGpuCores, (Device, unsigned*))                           \
    CALL(capability, nvmlDeviceGetCudaComputeCapability, (Device, int*, int*))           \
    CALL(mig_mode, nvmlDeviceGetMigMode, (Device, unsigned*, unsigned*))                 \
    CALL(mig_count, nvmlDeviceGetMaxMigDeviceCount, (Device, unsigned*))                 \
    CALL(mig_by_index, nvmlDeviceGetMigDeviceHandleByIndex, (Device, unsigned, Device*)) \
    CALL(attributes, nvmlDeviceGetAttributes_v2, (Device, Attributes*))

struct Library {
#define CALL(member, symbol, parameters) Result(*member) parameters = nullptr;
    RATION_NVML_CALLS(CALL)
#undef CALL
};

}  // namespace ration::cuda::nvml
