// Streams: made and ended.
#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"

using sim::Call;
using sim::Driver;

namespace {

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
    *stream = driver->add_stream(context, flags, priority);
    return call.done(CUDA_SUCCESS, "flags=%u", flags);
}

CUresult destroy(const char* symbol, CUstream stream) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    const CUresult result = driver->check_stream(stream);
    if (result == CUDA_SUCCESS) driver->remove_stream(stream);
    return call.done(result);
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
    if (greatest != nullptr) *greatest = sim::kGreatestPriority;
    return call.done(CUDA_SUCCESS);
}
