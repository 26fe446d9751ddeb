// Whether a stream has finished, waiting until it has, and the program's functions in a stream.
#include "tests/sim/driver/on_stream.h"
#include "tests/sim/driver/pool.h"

using sim::Driver;
using sim::on_stream;
using sim::or_own;

namespace {

CUresult query(const char* symbol, CUstream handle) {
    return on_stream(symbol, handle, [](Driver& driver, CUstream stream, auto&) {
        const CUresult known = sim::progress_known(stream);
        if (known != CUDA_SUCCESS) return known;
        return driver.unfinished(stream).empty() ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
    });
}

CUresult synchronise(const char* symbol, CUstream handle) {
    return on_stream(symbol, handle, [](Driver& driver, CUstream stream, auto& lock) {
        const CUresult known = sim::progress_known(stream);
        if (known != CUDA_SUCCESS) return known;
        driver.wait(lock, driver.unfinished(stream));
        sim::trim_to_thresholds(driver);
        return CUDA_SUCCESS;
    });
}

CUresult enqueue_function(Driver& driver, CUstream stream, std::function<void()> function) {
    sim::Task task;
    task.on_host = std::move(function);
    task.node = CU_GRAPH_NODE_TYPE_HOST;
    return driver.enqueue(stream, std::move(task));
}

CUresult launch_function(const char* symbol, CUstream handle, CUhostFn function, void* data) {
    return on_stream(symbol, handle, [=](Driver& driver, CUstream stream, auto&) {
        if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
        return enqueue_function(driver, stream, [=] { function(data); });
    });
}

// The callback is given the handle that the program named, which may be 0 for its own stream.
CUresult add_callback(const char* symbol, CUstream handle, CUstream named,
                      CUstreamCallback callback, void* data, unsigned flags) {
    return on_stream(symbol, handle, [=](Driver& driver, CUstream stream, auto&) {
        if (callback == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
        return enqueue_function(driver, stream, [=] { callback(named, CUDA_SUCCESS, data); });
    });
}

}  // namespace

CUresult cuStreamQuery(CUstream stream) { return query("cuStreamQuery", stream); }
CUresult cuStreamQuery_ptsz(CUstream stream) { return query("cuStreamQuery_ptsz", or_own(stream)); }
CUresult cuStreamSynchronize(CUstream stream) { return synchronise("cuStreamSynchronize", stream); }
CUresult cuStreamSynchronize_ptsz(CUstream stream) {
    return synchronise("cuStreamSynchronize_ptsz", or_own(stream));
}
CUresult cuLaunchHostFunc(CUstream stream, CUhostFn function, void* data) {
    return launch_function("cuLaunchHostFunc", stream, function, data);
}
CUresult cuLaunchHostFunc_ptsz(CUstream stream, CUhostFn function, void* data) {
    return launch_function("cuLaunchHostFunc_ptsz", or_own(stream), function, data);
}
CUresult cuStreamAddCallback(CUstream stream, CUstreamCallback callback, void* data,
                             unsigned flags) {
    return add_callback("cuStreamAddCallback", stream, stream, callback, data, flags);
}
CUresult cuStreamAddCallback_ptsz(CUstream stream, CUstreamCallback callback, void* data,
                                  unsigned flags) {
    return add_callback("cuStreamAddCallback_ptsz", or_own(stream), stream, callback, data, flags);
}
