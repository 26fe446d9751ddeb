// What NVML says about the node and how it finds devices.
#include <strings.h>

#include <cstdio>
#include <cstring>

#include "tests/sim/nvml/api.h"
#include "tests/sim/nvml/library.h"

using sim::nvml::check;
using sim::nvml::gpus;
using sim::nvml::instances;

namespace {

// The release that the simulated behaviours were measured on.
constexpr const char* kDriverRelease = "580.159.04";
constexpr int kCudaVersion = 13000;

nvmlReturn_t text(const char* value, char* out, unsigned int size) {
    if (gpus() == nullptr) return NVML_ERROR_UNINITIALIZED;
    if (out == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    return sim::nvml::copy_text(value, out, size);
}

template <typename Matches>
nvmlReturn_t find(std::deque<nvmlDevice_st>* devices, nvmlDevice_t* device, Matches&& matches) {
    for (nvmlDevice_st& each : *devices) {
        if (matches(each)) {
            *device = &each;
            return NVML_SUCCESS;
        }
    }
    return NVML_ERROR_NOT_FOUND;
}

}  // namespace

nvmlReturn_t nvmlSystemGetDriverVersion(char* version, unsigned int size) {
    return text(kDriverRelease, version, size);
}

nvmlReturn_t nvmlSystemGetNVMLVersion(char* version, unsigned int size) {
    return text("13.580.159.04", version, size);
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion(int* version) {
    if (version == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    *version = kCudaVersion;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int* version) {
    return nvmlSystemGetCudaDriverVersion(version);
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int* count) {
    if (gpus() == nullptr) return NVML_ERROR_UNINITIALIZED;
    if (count == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    *count = static_cast<unsigned int>(gpus()->size());
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCount(unsigned int* count) { return nvmlDeviceGetCount_v2(count); }

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t* device) {
    if (gpus() == nullptr) return NVML_ERROR_UNINITIALIZED;
    if (device == nullptr || index >= gpus()->size()) return NVML_ERROR_INVALID_ARGUMENT;
    *device = &(*gpus())[index];
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t* device) {
    return nvmlDeviceGetHandleByIndex_v2(index, device);
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char* uuid, nvmlDevice_t* device) {
    if (gpus() == nullptr) return NVML_ERROR_UNINITIALIZED;
    if (uuid == nullptr || device == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    const std::string wanted = uuid;
    if (find(gpus(), device, [&](const auto& d) { return d.gpu->uuid == wanted; }) ==
        NVML_SUCCESS) {
        return NVML_SUCCESS;
    }
    return find(instances(), device, [&](const auto& d) { return d.instance->uuid == wanted; });
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char* id, nvmlDevice_t* device) {
    if (gpus() == nullptr) return NVML_ERROR_UNINITIALIZED;
    if (id == nullptr || device == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    // Domains have four or eight digits.
    unsigned int domain = 0;
    unsigned int bus = 0;
    if (std::sscanf(id, "%x:%x:00.0", &domain, &bus) != 2 || domain != 0) {
        return NVML_ERROR_INVALID_ARGUMENT;
    }
    return find(gpus(), device,
                [bus](const auto& d) { return static_cast<unsigned int>(d.gpu->pci_bus) == bus; });
}
