// Streams: all work is done when its call returns, so a stream has nothing to wait for.
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
    *stream = new CUstream_st{context, flags, priority};
    driver->streams.insert(*stream);
    return call.done(CUDA_SUCCESS, "flags=%u", flags);
}

CUresult destroy(const char* symbol, CUstream stream) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    if (driver->streams.erase(stream) == 0) return call.done(CUDA_ERROR_INVALID_HANDLE);
    delete stream;
    return call.done(CUDA_SUCCESS);
}

bool is_default(CUstream stream) {
    return stream == nullptr || stream == CU_STREAM_LEGACY || stream == CU_STREAM_PER_THREAD;
}

// Runs `work(flags of the stream)`; the default streams need a current context.
template <typename Work>
CUresult on_stream(const char* symbol, CUstream stream, Work&& work) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    if (is_default(stream)) {
        CUresult result{};
        if (driver->usable_context(result) == nullptr) return call.done(result);
        return call.done(work(unsigned{CU_STREAM_DEFAULT}));
    }
    if (driver->streams.count(stream) == 0) return call.done(CUDA_ERROR_INVALID_HANDLE);
    return call.done(work(stream->flags));
}

CUresult finished(unsigned) { return CUDA_SUCCESS; }

CUresult get_flags(const char* symbol, CUstream stream, unsigned* flags) {
    return on_stream(symbol, stream, [flags](unsigned value) {
        if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *flags = value;
        return CUDA_SUCCESS;
    });
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
CUresult cuStreamSynchronize(CUstream stream) {
    return on_stream("cuStreamSynchronize", stream, finished);
}
CUresult cuStreamSynchronize_ptsz(CUstream stream) {
    return on_stream("cuStreamSynchronize_ptsz", stream, finished);
}
CUresult cuStreamQuery(CUstream stream) { return on_stream("cuStreamQuery", stream, finished); }
CUresult cuStreamQuery_ptsz(CUstream stream) {
    return on_stream("cuStreamQuery_ptsz", stream, finished);
}
CUresult cuStreamGetFlags(CUstream stream, unsigned* flags) {
    return get_flags("cuStreamGetFlags", stream, flags);
}
CUresult cuStreamGetFlags_ptsz(CUstream stream, unsigned* flags) {
    return get_flags("cuStreamGetFlags_ptsz", stream, flags);
}
