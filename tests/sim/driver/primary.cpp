// The primary context of each device.
#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"

using sim::Call;
using sim::Device;
using sim::Driver;

namespace {

// Runs `work(driver, device, lock)` under the lock.
template <typename Work>
CUresult on_device(const char* symbol, CUdevice ordinal, Work&& work) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    if (!driver->valid(ordinal)) return call.done(CUDA_ERROR_INVALID_DEVICE, "device=%d", ordinal);
    CUresult result{};
    int uses = 0;
    {
        std::unique_lock<std::mutex> lock(driver->mutex);
        result = work(*driver, driver->at(ordinal), lock);
        uses = driver->at(ordinal).primary_uses;
    }
    return call.done(result, "device=%d uses=%d", ordinal, uses);
}

void finish_work(Driver& driver, const Device& device, std::unique_lock<std::mutex>& lock) {
    if (device.primary != nullptr) driver.wait(lock, driver.unfinished(device.primary));
}

CUresult release(const char* symbol, CUdevice ordinal) {
    return on_device(symbol, ordinal, [](Driver& driver, Device& device, auto& lock) {
        if (device.primary_uses == 1 && device.greens == 0) finish_work(driver, device, lock);
        if (device.primary_uses == 0) {
            return device.greens > 0 ? CUDA_ERROR_NOT_PERMITTED : CUDA_ERROR_INVALID_CONTEXT;
        }
        --device.primary_uses;
        driver.end_unused_primary(device);
        return CUDA_SUCCESS;
    });
}

CUresult reset(const char* symbol, CUdevice ordinal) {
    return on_device(symbol, ordinal, [](Driver& driver, Device& device, auto& lock) {
        if (device.greens > 0) return CUDA_ERROR_NOT_PERMITTED;
        finish_work(driver, device, lock);
        if (device.greens > 0) return CUDA_ERROR_NOT_PERMITTED;
        driver.end_primary(device);  // who retained it still has to release it (measured)
        return CUDA_SUCCESS;
    });
}

CUresult set_flags(const char* symbol, CUdevice ordinal, unsigned flags) {
    return on_device(symbol, ordinal, [flags](Driver&, Device& device, auto&) {
        if ((flags & ~static_cast<unsigned>(CU_CTX_FLAGS_MASK)) != 0) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        device.primary_flags = flags;
        return CUDA_SUCCESS;
    });
}

}  // namespace

CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice ordinal) {
    return on_device("cuDevicePrimaryCtxRetain", ordinal,
                     [&](Driver& driver, Device& device, auto&) {
                         if (context == nullptr) return CUDA_ERROR_INVALID_VALUE;
                         const CUresult result = driver.need_primary(ordinal);
                         if (result != CUDA_SUCCESS) return result;
                         ++device.primary_uses;
                         *context = device.primary;
                         return CUDA_SUCCESS;
                     });
}

CUresult cuDevicePrimaryCtxRelease(CUdevice ordinal) {
    return release("cuDevicePrimaryCtxRelease", ordinal);
}
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice ordinal) {
    return release("cuDevicePrimaryCtxRelease_v2", ordinal);
}
CUresult cuDevicePrimaryCtxReset(CUdevice ordinal) {
    return reset("cuDevicePrimaryCtxReset", ordinal);
}
CUresult cuDevicePrimaryCtxReset_v2(CUdevice ordinal) {
    return reset("cuDevicePrimaryCtxReset_v2", ordinal);
}
CUresult cuDevicePrimaryCtxSetFlags(CUdevice ordinal, unsigned flags) {
    return set_flags("cuDevicePrimaryCtxSetFlags", ordinal, flags);
}
CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice ordinal, unsigned flags) {
    return set_flags("cuDevicePrimaryCtxSetFlags_v2", ordinal, flags);
}

CUresult cuDevicePrimaryCtxGetState(CUdevice ordinal, unsigned* flags, int* active) {
    return on_device("cuDevicePrimaryCtxGetState", ordinal, [&](Driver&, Device& device, auto&) {
        if (flags == nullptr || active == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *flags = device.primary_flags;
        *active = device.primary != nullptr ? 1 : 0;
        return CUDA_SUCCESS;
    });
}
