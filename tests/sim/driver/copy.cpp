// Copies of bytes that lie one after the other, on the host memory that stands for the device's.
#include "tests/sim/driver/copy.h"

#include <cstring>
#include <memory>
#include <vector>

using sim::copying;
using sim::Driver;
using sim::host;
using sim::on_memory;
using sim::or_own;
using sim::Until;

namespace {

CUresult to_device(const char* symbol, CUdeviceptr device, const void* data, std::size_t bytes,
                   CUstream stream) {
    return on_memory(symbol, stream, {{device, bytes}}, Until::Done,
                     [=] { std::memcpy(host(device), data, bytes); });
}

// Pageable memory is read before the call returns, but for a graph's node, which reads it when it
// runs.
CUresult to_device_async(const char* symbol, CUdeviceptr device, const void* data,
                         std::size_t bytes, CUstream handle) {
    return sim::on_stream(symbol, handle, [=](Driver& driver, CUstream stream, auto&) {
        if (bytes == 0) return CUDA_SUCCESS;
        if (!driver.covers(device, bytes)) return CUDA_ERROR_INVALID_VALUE;
        if (stream->capture != nullptr || !sim::pageable(driver, data, bytes)) {
            return driver.enqueue(stream, copying([=] { std::memcpy(host(device), data, bytes); }));
        }
        const auto* begin = static_cast<const char*>(data);
        const auto staged = std::make_shared<std::vector<char>>(begin, begin + bytes);
        return driver.enqueue(stream, {[=] { std::memcpy(host(device), staged->data(), bytes); }});
    });
}

CUresult to_host(const char* symbol, void* data, CUdeviceptr device, std::size_t bytes,
                 CUstream stream) {
    return on_memory(symbol, stream, {{device, bytes}}, Until::Done,
                     [=] { std::memcpy(data, host(device), bytes); });
}

// Pageable memory is written before the call returns, but for a graph's node.
CUresult to_host_async(const char* symbol, void* data, CUdeviceptr device, std::size_t bytes,
                       CUstream handle) {
    return sim::on_stream(symbol, handle, [=](Driver& driver, CUstream stream, auto& lock) {
        if (bytes == 0) return CUDA_SUCCESS;
        if (!driver.covers(device, bytes)) return CUDA_ERROR_INVALID_VALUE;
        const bool wait = stream->capture == nullptr && sim::pageable(driver, data, bytes);
        const CUresult result =
            driver.enqueue(stream, copying([=] { std::memcpy(data, host(device), bytes); }));
        if (result == CUDA_SUCCESS && wait) driver.worker.wait(lock, sim::WorkPtr(stream->tail));
        return result;
    });
}

CUresult within(const char* symbol, CUdeviceptr to, CUdeviceptr from, std::size_t bytes,
                CUstream stream) {
    return on_memory(symbol, stream, {{to, bytes}, {from, bytes}}, Until::Submitted,
                     [=] { std::memmove(host(to), host(from), bytes); });
}

}  // namespace

CUresult cuMemcpyHtoD_v2(CUdeviceptr device, const void* data, std::size_t bytes) {
    return to_device("cuMemcpyHtoD_v2", device, data, bytes, nullptr);
}
CUresult cuMemcpyHtoD_v2_ptds(CUdeviceptr device, const void* data, std::size_t bytes) {
    return to_device("cuMemcpyHtoD_v2_ptds", device, data, bytes, or_own(nullptr));
}
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr device, const void* data, std::size_t bytes,
                              CUstream stream) {
    return to_device_async("cuMemcpyHtoDAsync_v2", device, data, bytes, stream);
}
CUresult cuMemcpyHtoDAsync_v2_ptsz(CUdeviceptr device, const void* data, std::size_t bytes,
                                   CUstream stream) {
    return to_device_async("cuMemcpyHtoDAsync_v2_ptsz", device, data, bytes, or_own(stream));
}
CUresult cuMemcpyDtoH_v2(void* data, CUdeviceptr device, std::size_t bytes) {
    return to_host("cuMemcpyDtoH_v2", data, device, bytes, nullptr);
}
CUresult cuMemcpyDtoH_v2_ptds(void* data, CUdeviceptr device, std::size_t bytes) {
    return to_host("cuMemcpyDtoH_v2_ptds", data, device, bytes, or_own(nullptr));
}
CUresult cuMemcpyDtoHAsync_v2(void* data, CUdeviceptr device, std::size_t bytes, CUstream stream) {
    return to_host_async("cuMemcpyDtoHAsync_v2", data, device, bytes, stream);
}
CUresult cuMemcpyDtoHAsync_v2_ptsz(void* data, CUdeviceptr device, std::size_t bytes,
                                   CUstream stream) {
    return to_host_async("cuMemcpyDtoHAsync_v2_ptsz", data, device, bytes, or_own(stream));
}
CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, std::size_t bytes) {
    return within("cuMemcpyDtoD_v2", to, from, bytes, nullptr);
}
CUresult cuMemcpyDtoD_v2_ptds(CUdeviceptr to, CUdeviceptr from, std::size_t bytes) {
    return within("cuMemcpyDtoD_v2_ptds", to, from, bytes, or_own(nullptr));
}
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, std::size_t bytes,
                              CUstream stream) {
    return within("cuMemcpyDtoDAsync_v2", to, from, bytes, stream);
}
CUresult cuMemcpyDtoDAsync_v2_ptsz(CUdeviceptr to, CUdeviceptr from, std::size_t bytes,
                                   CUstream stream) {
    return within("cuMemcpyDtoDAsync_v2_ptsz", to, from, bytes, or_own(stream));
}
