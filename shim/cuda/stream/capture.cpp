#include "shim/cuda/stream/capture.h"

#include "shim/host/undisturbed_lock.h"

namespace ration::cuda::stream {
namespace {

// Does `act` for each blocking stream of the domain that is captured.
template <class Act>
CUresult for_each_captured(Domain& domain, Act act) {
    CUresult result = CUDA_SUCCESS;
    if (captures.load(std::memory_order_acquire) == 0) return result;
    const host::UndisturbedLock lock(registry());
    for (Record* each = domain.records; each != nullptr; each = each->next_in_domain) {
        const CUstream stream = each->stream;
        if (stream == nullptr || !is_capturing(stream)) continue;
        act(stream);
        result = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    }
    return result;
}

}  // namespace

bool is_capturing(CUstream stream) {
    if (captures.load(std::memory_order_acquire) == 0) return false;
    auto status = CU_STREAM_CAPTURE_STATUS_NONE;
    return real.cuStreamIsCapturing(stream, &status) == CUDA_SUCCESS &&
           status != CU_STREAM_CAPTURE_STATUS_NONE;
}

// Asking for a captured stream's progress is refused, and spoils the capture (measured).
CUresult use_legacy(Domain& domain) {
    return for_each_captured(domain, [](CUstream stream) { real.cuStreamQuery(stream); });
}

CUresult ask_legacy(Domain& domain) {
    return for_each_captured(domain, [](CUstream) {});
}

CUresult wait_in_legacy(CUevent event) {
    if (captures.load(std::memory_order_acquire) == 0) return CUDA_SUCCESS;
    const Relaxed relaxed;
    return real.cuEventQuery(event) == CUDA_ERROR_CAPTURED_EVENT
               ? CUDA_ERROR_STREAM_CAPTURE_IMPLICIT
               : CUDA_SUCCESS;
}

void end_noticed(CUstream stream, bool before) {
    if (before && !is_capturing(stream)) captures.fetch_sub(1);
}

}  // namespace ration::cuda::stream
