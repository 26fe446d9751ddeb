// Copies and fills, on the host memory that stands for the device's.
#include <cstring>

#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"

using sim::Call;
using sim::Driver;

namespace {

// Runs `work()` if [pointer, pointer + bytes) is device memory.
template <typename Work>
CUresult on_memory(const char* symbol, CUdeviceptr pointer, std::size_t bytes, Work&& work) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    CUresult result{};
    if (driver->usable_context(result) == nullptr) return call.done(result);
    if (bytes != 0) {
        if (!driver->covers(pointer, bytes)) return call.done(CUDA_ERROR_INVALID_VALUE);
        work();
    }
    return call.done(CUDA_SUCCESS, "bytes=%zu", bytes);
}

CUresult to_device(const char* symbol, CUdeviceptr device, const void* host, std::size_t bytes) {
    return on_memory(symbol, device, bytes,
                     [=] { std::memcpy(reinterpret_cast<void*>(device), host, bytes); });
}

CUresult to_host(const char* symbol, void* host, CUdeviceptr device, std::size_t bytes) {
    return on_memory(symbol, device, bytes,
                     [=] { std::memcpy(host, reinterpret_cast<const void*>(device), bytes); });
}

CUresult fill(const char* symbol, CUdeviceptr device, unsigned char value, std::size_t bytes) {
    return on_memory(symbol, device, bytes,
                     [=] { std::memset(reinterpret_cast<void*>(device), value, bytes); });
}

}  // namespace

CUresult cuMemcpyHtoD_v2(CUdeviceptr device, const void* host, std::size_t bytes) {
    return to_device("cuMemcpyHtoD_v2", device, host, bytes);
}
CUresult cuMemcpyHtoD_v2_ptds(CUdeviceptr device, const void* host, std::size_t bytes) {
    return to_device("cuMemcpyHtoD_v2_ptds", device, host, bytes);
}
CUresult cuMemcpyDtoH_v2(void* host, CUdeviceptr device, std::size_t bytes) {
    return to_host("cuMemcpyDtoH_v2", host, device, bytes);
}
CUresult cuMemcpyDtoH_v2_ptds(void* host, CUdeviceptr device, std::size_t bytes) {
    return to_host("cuMemcpyDtoH_v2_ptds", host, device, bytes);
}
CUresult cuMemsetD8_v2(CUdeviceptr device, unsigned char value, std::size_t bytes) {
    return fill("cuMemsetD8_v2", device, value, bytes);
}
CUresult cuMemsetD8_v2_ptds(CUdeviceptr device, unsigned char value, std::size_t bytes) {
    return fill("cuMemsetD8_v2_ptds", device, value, bytes);
}
