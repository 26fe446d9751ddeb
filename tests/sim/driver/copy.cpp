// Copies and fills, on the host memory that stands for the device's. What a call without Async in
// its name waits for is NVIDIA's table of synchronous behaviour: copies from and to the host until
// they are done, the rest not at all.
#include <cstring>
#include <memory>
#include <vector>

#include "tests/sim/driver/on_stream.h"

using sim::Driver;
using sim::or_own;
using sim::Task;

namespace {

struct Range {
    CUdeviceptr pointer;
    std::size_t bytes;
};

// What a call waits for. In a capture only work that nobody waits for can be done.
enum class Until { Submitted, Done };

// Enqueues `run` if the ranges are device memory (or pinned).
template <typename Run>
CUresult on_memory(const char* symbol, CUstream handle, std::initializer_list<Range> ranges,
                   Until until, Run&& run) {
    return sim::on_stream(symbol, handle, [&](Driver& driver, CUstream stream, auto& lock) {
        for (const Range& range : ranges) {
            if (range.bytes == 0) return CUDA_SUCCESS;
            if (!driver.covers(range.pointer, range.bytes)) return CUDA_ERROR_INVALID_VALUE;
        }
        CUresult result = until == Until::Done ? sim::progress_known(stream) : CUDA_SUCCESS;
        if (result == CUDA_SUCCESS) {
            result = driver.enqueue(stream, Task{std::forward<Run>(run)});
        }
        if (result == CUDA_SUCCESS && until == Until::Done) {
            driver.worker.wait(lock, sim::WorkPtr(stream->tail));
        }
        return result;
    });
}

void* at(CUdeviceptr pointer) { return reinterpret_cast<void*>(pointer); }

bool pageable(const Driver& driver, const void* host, std::size_t bytes) {
    return !driver.covers(reinterpret_cast<CUdeviceptr>(host), bytes);
}

CUresult to_device(const char* symbol, CUdeviceptr device, const void* host, std::size_t bytes,
                   CUstream stream) {
    return on_memory(symbol, stream, {{device, bytes}}, Until::Done,
                     [=] { std::memcpy(at(device), host, bytes); });
}

// Pageable memory is read before the call returns, but for a graph's node, which reads it when it
// runs.
CUresult to_device_async(const char* symbol, CUdeviceptr device, const void* host,
                         std::size_t bytes, CUstream handle) {
    return sim::on_stream(symbol, handle, [=](Driver& driver, CUstream stream, auto&) {
        if (bytes == 0) return CUDA_SUCCESS;
        if (!driver.covers(device, bytes)) return CUDA_ERROR_INVALID_VALUE;
        if (stream->capture != nullptr || !pageable(driver, host, bytes)) {
            return driver.enqueue(stream, {[=] { std::memcpy(at(device), host, bytes); }});
        }
        const auto* begin = static_cast<const char*>(host);
        const auto staged = std::make_shared<std::vector<char>>(begin, begin + bytes);
        return driver.enqueue(stream, {[=] { std::memcpy(at(device), staged->data(), bytes); }});
    });
}

CUresult to_host(const char* symbol, void* host, CUdeviceptr device, std::size_t bytes,
                 CUstream stream) {
    return on_memory(symbol, stream, {{device, bytes}}, Until::Done,
                     [=] { std::memcpy(host, at(device), bytes); });
}

// Pageable memory is written before the call returns, but for a graph's node.
CUresult to_host_async(const char* symbol, void* host, CUdeviceptr device, std::size_t bytes,
                       CUstream handle) {
    return sim::on_stream(symbol, handle, [=](Driver& driver, CUstream stream, auto& lock) {
        if (bytes == 0) return CUDA_SUCCESS;
        if (!driver.covers(device, bytes)) return CUDA_ERROR_INVALID_VALUE;
        const bool wait = stream->capture == nullptr && pageable(driver, host, bytes);
        const CUresult result =
            driver.enqueue(stream, {[=] { std::memcpy(host, at(device), bytes); }});
        if (result == CUDA_SUCCESS && wait) driver.worker.wait(lock, sim::WorkPtr(stream->tail));
        return result;
    });
}

CUresult within(const char* symbol, CUdeviceptr to, CUdeviceptr from, std::size_t bytes,
                CUstream stream) {
    return on_memory(symbol, stream, {{to, bytes}, {from, bytes}}, Until::Submitted,
                     [=] { std::memmove(at(to), at(from), bytes); });
}

CUresult fill(const char* symbol, CUdeviceptr device, unsigned char value, std::size_t bytes,
              CUstream stream) {
    return on_memory(symbol, stream, {{device, bytes}}, Until::Submitted,
                     [=] { std::memset(at(device), value, bytes); });
}

}  // namespace

CUresult cuMemcpyHtoD_v2(CUdeviceptr device, const void* host, std::size_t bytes) {
    return to_device("cuMemcpyHtoD_v2", device, host, bytes, nullptr);
}
CUresult cuMemcpyHtoD_v2_ptds(CUdeviceptr device, const void* host, std::size_t bytes) {
    return to_device("cuMemcpyHtoD_v2_ptds", device, host, bytes, or_own(nullptr));
}
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr device, const void* host, std::size_t bytes,
                              CUstream stream) {
    return to_device_async("cuMemcpyHtoDAsync_v2", device, host, bytes, stream);
}
CUresult cuMemcpyHtoDAsync_v2_ptsz(CUdeviceptr device, const void* host, std::size_t bytes,
                                   CUstream stream) {
    return to_device_async("cuMemcpyHtoDAsync_v2_ptsz", device, host, bytes, or_own(stream));
}
CUresult cuMemcpyDtoH_v2(void* host, CUdeviceptr device, std::size_t bytes) {
    return to_host("cuMemcpyDtoH_v2", host, device, bytes, nullptr);
}
CUresult cuMemcpyDtoH_v2_ptds(void* host, CUdeviceptr device, std::size_t bytes) {
    return to_host("cuMemcpyDtoH_v2_ptds", host, device, bytes, or_own(nullptr));
}
CUresult cuMemcpyDtoHAsync_v2(void* host, CUdeviceptr device, std::size_t bytes, CUstream stream) {
    return to_host_async("cuMemcpyDtoHAsync_v2", host, device, bytes, stream);
}
CUresult cuMemcpyDtoHAsync_v2_ptsz(void* host, CUdeviceptr device, std::size_t bytes,
                                   CUstream stream) {
    return to_host_async("cuMemcpyDtoHAsync_v2_ptsz", host, device, bytes, or_own(stream));
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
CUresult cuMemsetD8_v2(CUdeviceptr device, unsigned char value, std::size_t bytes) {
    return fill("cuMemsetD8_v2", device, value, bytes, nullptr);
}
CUresult cuMemsetD8_v2_ptds(CUdeviceptr device, unsigned char value, std::size_t bytes) {
    return fill("cuMemsetD8_v2_ptds", device, value, bytes, or_own(nullptr));
}
CUresult cuMemsetD8Async(CUdeviceptr device, unsigned char value, std::size_t bytes,
                         CUstream stream) {
    return fill("cuMemsetD8Async", device, value, bytes, stream);
}
CUresult cuMemsetD8Async_ptsz(CUdeviceptr device, unsigned char value, std::size_t bytes,
                              CUstream stream) {
    return fill("cuMemsetD8Async_ptsz", device, value, bytes, or_own(stream));
}
