// An entry point that takes a stream.
#pragma once
#include <mutex>
#include <utility>

#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"

namespace sim {

// Runs `use(driver, stream, lock)` on the stream that the handle names, under the driver's lock.
template <typename Use>
CUresult on_stream(const char* symbol, CUstream handle, Use&& use) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    std::unique_lock<std::mutex> lock(driver->mutex);
    CUresult result{};
    CUstream stream = driver->find_stream(handle, result);
    if (stream != nullptr) result = use(*driver, stream, lock);
    return call.done(result);
}

// The same for a query with one result pointer.
template <typename Value, typename Answer>
CUresult ask_stream(const char* symbol, CUstream handle, Value* out, Answer&& answer) {
    return on_stream(symbol, handle, [&](Driver&, CUstream stream, auto&) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = answer(stream);
        return CUDA_SUCCESS;
    });
}

}  // namespace sim
