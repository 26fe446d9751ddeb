// What NVML says about a GPU or a MIG instance.
#include <array>
#include <cstdio>

#include "tests/sim/nvml/api.h"
#include "tests/sim/nvml/library.h"

using sim::kMiB;
using sim::nvml::check;
using sim::nvml::copy_text;

namespace {

unsigned int sm_count(nvmlDevice_t device) {
    return static_cast<unsigned int>(device->instance != nullptr ? device->instance->sm_count
                                                                 : device->gpu->sm_count);
}

unsigned long long memory(nvmlDevice_t device) {
    return device->instance != nullptr ? device->instance->memory : device->gpu->nvml_memory;
}

// For what only a whole GPU has.
nvmlReturn_t check_gpu(nvmlDevice_t device, const void* out) {
    const nvmlReturn_t result = check(device, out);
    if (result != NVML_SUCCESS) return result;
    return device->instance == nullptr ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

}  // namespace

nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int* index) {
    const nvmlReturn_t result = check(device, index);
    if (result == NVML_SUCCESS) *index = device->index;
    return result;
}

nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int* number) {
    const nvmlReturn_t result = check_gpu(device, number);
    if (result == NVML_SUCCESS) *number = device->index;
    return result;
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char* name, unsigned int size) {
    const nvmlReturn_t result = check(device, name);
    if (result != NVML_SUCCESS) return result;
    std::string text = device->gpu->name;
    if (device->instance != nullptr) text += " MIG " + device->instance->profile;
    return copy_text(text.c_str(), name, size);
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char* uuid, unsigned int size) {
    const nvmlReturn_t result = check(device, uuid);
    if (result != NVML_SUCCESS) return result;
    const std::string& text =
        device->instance != nullptr ? device->instance->uuid : device->gpu->uuid;
    return copy_text(text.c_str(), uuid, size);
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t* info) {
    const nvmlReturn_t result = check(device, info);
    if (result != NVML_SUCCESS) return result;
    *info = {};
    info->bus = static_cast<unsigned int>(device->gpu->pci_bus);
    info->pciDeviceId = device->gpu->pci_device_id;
    std::snprintf(info->busIdLegacy, sizeof info->busIdLegacy, "0000:%02X:00.0", info->bus & 0xff);
    std::snprintf(info->busId, sizeof info->busId, "00000000:%02X:00.0", info->bus & 0xff);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int* major, int* minor) {
    const nvmlReturn_t result = check(device, minor == nullptr ? nullptr : major);
    if (result != NVML_SUCCESS) return result;
    *major = device->gpu->major;
    *minor = device->gpu->minor;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNumGpuCores(nvmlDevice_t device, unsigned int* cores) {
    const nvmlReturn_t result = check(device, cores);
    if (result != NVML_SUCCESS) return result;
    *cores = sm_count(device) * static_cast<unsigned int>(device->gpu->cores_per_sm);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t* info) {
    const nvmlReturn_t result = check(device, info);
    if (result == NVML_SUCCESS) *info = {memory(device), memory(device), 0};
    return result;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t* info) {
    const nvmlReturn_t result = check(device, info);
    if (result != NVML_SUCCESS) return result;
    if (info->version != kNvmlMemoryV2) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    *info = {kNvmlMemoryV2, memory(device), 0, memory(device), 0};
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t* attributes) {
    const nvmlReturn_t result = check(device, attributes);
    if (result != NVML_SUCCESS) return result;
    if (device->instance == nullptr) return NVML_ERROR_NOT_SUPPORTED;  // for instances alone
    *attributes = {};
    attributes->multiprocessorCount = sm_count(device);
    attributes->gpuInstanceSliceCount = static_cast<unsigned int>(device->instance->slices);
    attributes->computeInstanceSliceCount = static_cast<unsigned int>(device->instance->slices);
    attributes->memorySizeMB = memory(device) / kMiB;
    return NVML_SUCCESS;
}
