// Streams: made and ended.
#include <algorithm>

#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"

using sim::Call;
using sim::Driver;

namespace {

// Priorities beyond the range are clamped (cuda.h).
constexpr int kGreatestPriority = -5;

CUresult create(const char* symbol, CUstream* stream, unsigned flags, int priority) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    CUresult result{};
    CUcontext context = driver->usable_context(result);
    if (context == nullptr) return call.done(result);
    if (stream == nullptr || flags > CU_STREAM_NON_BLOCKING) {
        return call.done(CUDA_ERROR_INVALID_VALUE, "flags=%u", flags);
    }
    *stream = driver->add_stream(context, flags, std::clamp(priority, kGreatestPriority, 0));
    return call.done(CUDA_SUCCESS, "flags=%u", flags);
}

CUresult destroy(const char* symbol, CUstream stream) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    if (driver->streams.count(stream) == 0) return call.done(CUDA_ERROR_INVALID_HANDLE);
    driver->remove_stream(stream);
    return call.done(CUDA_SUCCESS);
}

}  // namespace

CUresult cuStreamCreate(CUstream* stream, unsigned flags) {
    return create("cuStreamCreate", stream, flags, 0);
}
CUresult cuStreamCreateWithPriority(CUstream* stream, unsigned flags, int priority) {
    return create("cuStreamCreateWithPriority", stream, flags, priority);
}
CUresult cuStreamDestroy(CUstream stream) { return destroy("cuStreamDestroy", stream); }
CUresult cuStreamDestroy_v2(CUstream stream) { return destroy("cuStreamDestroy_v2", stream); }

CUresult cuCtxGetStreamPriorityRange(int* least, int* greatest) {
    Call call("cuCtxGetStreamPriorityRange");
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    CUresult result{};
    if (driver->usable_context(result) == nullptr) return call.done(result);
    if (least != nullptr) *least = 0;
    if (greatest != nullptr) *greatest = kGreatestPriority;
    return call.done(CUDA_SUCCESS);
}
