// MIG: a GPU's instances. Their indices have gaps, one for each further compute slice of an
// instance.
#include "tests/sim/nvml/api.h"
#include "tests/sim/nvml/library.h"

using sim::nvml::check;

namespace {

constexpr unsigned int kMostInstances = 7;

bool can_mig(nvmlDevice_t device) { return device->gpu->can_mig; }

// For what only a MIG instance has.
nvmlReturn_t check_instance(nvmlDevice_t device, const void* out) {
    const nvmlReturn_t result = check(device, out);
    if (result != NVML_SUCCESS) return result;
    return device->instance != nullptr ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

}  // namespace

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int* now, unsigned int* pending) {
    const nvmlReturn_t result = check(device, pending == nullptr ? nullptr : now);
    if (result != NVML_SUCCESS) return result;
    if (device->instance != nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    if (!can_mig(device)) return NVML_ERROR_NOT_SUPPORTED;
    *now = *pending = device->gpu->mig_mode() ? 1 : 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int* count) {
    const nvmlReturn_t result = check(device, count);
    if (result != NVML_SUCCESS) return result;
    if (device->instance != nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    *count = device->gpu->mig_mode() ? kMostInstances : 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index,
                                                 nvmlDevice_t* instance) {
    const nvmlReturn_t result = check(device, instance);
    if (result != NVML_SUCCESS) return result;
    if (device->instance != nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    if (!can_mig(device)) return NVML_ERROR_NOT_SUPPORTED;
    if (index >= kMostInstances) return NVML_ERROR_INVALID_ARGUMENT;
    for (nvmlDevice_st& each : *sim::nvml::instances()) {
        if (each.parent == device && each.index == index) {
            *instance = &each;
            return NVML_SUCCESS;
        }
    }
    return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t instance,
                                                          nvmlDevice_t* device) {
    const nvmlReturn_t result = check_instance(instance, device);
    if (result == NVML_SUCCESS) *device = instance->parent;
    return result;
}

nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned int* is_instance) {
    const nvmlReturn_t result = check(device, is_instance);
    if (result == NVML_SUCCESS) *is_instance = device->instance != nullptr ? 1 : 0;
    return result;
}

nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned int* id) {
    const nvmlReturn_t result = check_instance(device, id);
    if (result == NVML_SUCCESS) *id = static_cast<unsigned int>(device->instance->gpu_instance);
    return result;
}

nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned int* id) {
    const nvmlReturn_t result = check_instance(device, id);
    if (result == NVML_SUCCESS) {
        *id = static_cast<unsigned int>(device->instance->compute_instance);
    }
    return result;
}
