// Devices: what a program can ask before it makes a context.
#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstring>

#include "tests/sim/driver/attributes.h"
#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"

using sim::Call;
using sim::Device;
using sim::Driver;

namespace {

// The device, or null and call.done()'s reason in `why`.
Device* find(Call& call, CUdevice ordinal, CUresult& why) {
    Driver* driver = call.driver();
    why = CUDA_ERROR_NOT_INITIALIZED;
    if (driver == nullptr) return nullptr;
    why = driver->valid(ordinal) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
    return why == CUDA_SUCCESS ? &driver->at(ordinal) : nullptr;
}

// Runs `answer(device)` for a query with one result pointer.
template <typename Answer>
CUresult query(const char* symbol, CUdevice ordinal, const void* out, Answer&& answer) {
    Call call(symbol);
    if (call.failed()) return call.done();
    CUresult why{};
    Device* device = find(call, ordinal, why);
    if (device == nullptr) return call.done(why, "device=%d", ordinal);
    if (out == nullptr) return call.done(CUDA_ERROR_INVALID_VALUE, "device=%d", ordinal);
    answer(*device);
    return call.done(CUDA_SUCCESS, "device=%d", ordinal);
}

}  // namespace

CUresult cuDeviceGetCount(int* count) {
    Call call("cuDeviceGetCount");
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    if (count == nullptr) return call.done(CUDA_ERROR_INVALID_VALUE);
    *count = static_cast<int>(driver->devices.size());
    return call.done(CUDA_SUCCESS, "count=%d", *count);
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
    return query("cuDeviceGet", ordinal, device, [&](const Device&) { *device = ordinal; });
}

CUresult cuDeviceGetName(char* name, int length, CUdevice ordinal) {
    const bool room = name != nullptr && length > 0;
    return query("cuDeviceGetName", ordinal, room ? name : nullptr, [&](const Device& device) {
        std::snprintf(name, static_cast<std::size_t>(length), "%s", device.name.c_str());
    });
}

// The first version answers the GPU's UUID, the second an instance's own (cuda.h).
CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice ordinal) {
    return query("cuDeviceGetUuid", ordinal, uuid, [&](const Device& device) {
        sim::uuid_bytes(device.parent_uuid, reinterpret_cast<unsigned char*>(uuid->bytes));
    });
}

CUresult cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice ordinal) {
    return query("cuDeviceGetUuid_v2", ordinal, uuid, [&](const Device& device) {
        sim::uuid_bytes(device.uuid, reinterpret_cast<unsigned char*>(uuid->bytes));
    });
}

CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice ordinal) {
    const bool known = sim::attribute_known(attribute);
    return query("cuDeviceGetAttribute", ordinal, known ? value : nullptr,
                 [&](const Device& device) {
                     *value = sim::attribute_value(attribute, device, Driver::get()->mps_enabled);
                 });
}

CUresult cuDeviceTotalMem(unsigned* bytes, CUdevice ordinal) {
    return query("cuDeviceTotalMem", ordinal, bytes, [&](const Device& device) {
        *bytes = static_cast<unsigned>(std::min<std::uint64_t>(device.memory, UINT_MAX));
    });
}

CUresult cuDeviceTotalMem_v2(std::size_t* bytes, CUdevice ordinal) {
    return query("cuDeviceTotalMem_v2", ordinal, bytes,
                 [&](const Device& device) { *bytes = device.memory; });
}

CUresult cuDeviceGetPCIBusId(char* id, int length, CUdevice ordinal) {
    const bool room = id != nullptr && length > 0;
    return query("cuDeviceGetPCIBusId", ordinal, room ? id : nullptr, [&](const Device& device) {
        std::snprintf(id, static_cast<std::size_t>(length), "0000:%02X:00.0",
                      static_cast<unsigned>(device.gpu->pci_bus));
    });
}
