// The entry points of stream capture.
#include "tests/sim/driver/on_stream.h"

using sim::Call;
using sim::CapturePtr;
using sim::Driver;
using sim::on_stream;
using sim::or_own;

namespace {

bool legacy(CUstream stream) { return stream == stream->context->legacy.get(); }

CUresult begin(const char* symbol, CUstream handle, CUstreamCaptureMode mode) {
    return on_stream(symbol, handle, [mode](Driver& driver, CUstream stream, auto&) {
        if (legacy(stream) && stream->context->green == nullptr) {
            return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
        }
        if (mode > CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_ERROR_INVALID_VALUE;
        if (stream->capture != nullptr) return CUDA_ERROR_ILLEGAL_STATE;
        sim::begin_capture(driver, stream, mode);
        return CUDA_SUCCESS;
    });
}

CUresult end(const char* symbol, CUstream handle, CUgraph* graph) {
    return on_stream(symbol, handle, [graph](Driver& driver, CUstream stream, auto&) {
        if (graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *graph = nullptr;
        const CapturePtr capture = stream->capture;
        if (capture == nullptr) return CUDA_ERROR_ILLEGAL_STATE;
        if (capture->origin != stream) {
            capture->invalid = true;
            return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
        }
        const bool anywhere = capture->mode == CU_STREAM_CAPTURE_MODE_RELAXED;
        const bool whole = joined(*capture);
        sim::end_capture(driver, capture);
        if (!anywhere && capture->thread != sim::thread_number()) {
            return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
        }
        if (capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        if (!whole) return CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
        *graph = capture->graph.release();
        driver.graphs.insert(*graph);
        return CUDA_SUCCESS;
    });
}

// What a caller may want to know of a capture; whatever is null isn't answered.
struct Wanted {
    CUstreamCaptureStatus* status;
    cuuint64_t* id = nullptr;
    CUgraph* graph = nullptr;
    const CUgraphNode** nodes = nullptr;
    const CUgraphEdgeData** edges = nullptr;
    std::size_t* count = nullptr;
};

template <typename Value>
void tell(Value* out, Value value) {
    if (out != nullptr) *out = value;
}

CUresult info(const char* symbol, CUstream handle, const Wanted& wanted) {
    return on_stream(symbol, handle, [&wanted](Driver&, CUstream stream, auto&) {
        if (wanted.status == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (legacy(stream)) {
            const CUresult usable = sim::legacy_usable(stream->context, false);
            if (usable != CUDA_SUCCESS) return usable;
        }
        *wanted.status = CU_STREAM_CAPTURE_STATUS_NONE;
        if (stream->capture == nullptr) return CUDA_SUCCESS;
        const sim::Capture& capture = *stream->capture;
        *wanted.status = capture.invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                                         : CU_STREAM_CAPTURE_STATUS_ACTIVE;
        tell<cuuint64_t>(wanted.id, capture.id);
        tell(wanted.graph, capture.graph.get());
        tell<const CUgraphNode*>(wanted.nodes, stream->captured.data());
        tell<const CUgraphEdgeData*>(wanted.edges, nullptr);
        tell(wanted.count, stream->captured.size());
        return CUDA_SUCCESS;
    });
}

}  // namespace

CUresult cuStreamBeginCapture(CUstream stream) {
    return begin("cuStreamBeginCapture", stream, CU_STREAM_CAPTURE_MODE_GLOBAL);
}
CUresult cuStreamBeginCapture_ptsz(CUstream stream) {
    return begin("cuStreamBeginCapture_ptsz", or_own(stream), CU_STREAM_CAPTURE_MODE_GLOBAL);
}
CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode mode) {
    return begin("cuStreamBeginCapture_v2", stream, mode);
}
CUresult cuStreamBeginCapture_v2_ptsz(CUstream stream, CUstreamCaptureMode mode) {
    return begin("cuStreamBeginCapture_v2_ptsz", or_own(stream), mode);
}
CUresult cuStreamEndCapture(CUstream stream, CUgraph* graph) {
    return end("cuStreamEndCapture", stream, graph);
}
CUresult cuStreamEndCapture_ptsz(CUstream stream, CUgraph* graph) {
    return end("cuStreamEndCapture_ptsz", or_own(stream), graph);
}
CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus* status) {
    return info("cuStreamIsCapturing", stream, {status});
}
CUresult cuStreamIsCapturing_ptsz(CUstream stream, CUstreamCaptureStatus* status) {
    return info("cuStreamIsCapturing_ptsz", or_own(stream), {status});
}
CUresult cuStreamGetCaptureInfo(CUstream stream, CUstreamCaptureStatus* status, cuuint64_t* id) {
    return info("cuStreamGetCaptureInfo", stream, {status, id});
}
CUresult cuStreamGetCaptureInfo_ptsz(CUstream stream, CUstreamCaptureStatus* status,
                                     cuuint64_t* id) {
    return info("cuStreamGetCaptureInfo_ptsz", or_own(stream), {status, id});
}
CUresult cuStreamGetCaptureInfo_v2(CUstream stream, CUstreamCaptureStatus* status, cuuint64_t* id,
                                   CUgraph* graph, const CUgraphNode** nodes, std::size_t* count) {
    return info("cuStreamGetCaptureInfo_v2", stream, {status, id, graph, nodes, nullptr, count});
}
CUresult cuStreamGetCaptureInfo_v2_ptsz(CUstream stream, CUstreamCaptureStatus* status,
                                        cuuint64_t* id, CUgraph* graph, const CUgraphNode** nodes,
                                        std::size_t* count) {
    return info("cuStreamGetCaptureInfo_v2_ptsz", or_own(stream),
                {status, id, graph, nodes, nullptr, count});
}
CUresult cuStreamGetCaptureInfo_v3(CUstream stream, CUstreamCaptureStatus* status, cuuint64_t* id,
                                   CUgraph* graph, const CUgraphNode** nodes,
                                   const CUgraphEdgeData** edges, std::size_t* count) {
    return info("cuStreamGetCaptureInfo_v3", stream, {status, id, graph, nodes, edges, count});
}
CUresult cuStreamGetCaptureInfo_v3_ptsz(CUstream stream, CUstreamCaptureStatus* status,
                                        cuuint64_t* id, CUgraph* graph, const CUgraphNode** nodes,
                                        const CUgraphEdgeData** edges, std::size_t* count) {
    return info("cuStreamGetCaptureInfo_v3_ptsz", or_own(stream),
                {status, id, graph, nodes, edges, count});
}

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode* mode) {
    Call call("cuThreadExchangeStreamCaptureMode");
    if (call.driver() == nullptr) return call.done();
    if (mode == nullptr || *mode > CU_STREAM_CAPTURE_MODE_RELAXED) {
        return call.done(CUDA_ERROR_INVALID_VALUE);
    }
    std::swap(*mode, sim::capture_mode());
    return call.done(CUDA_SUCCESS, "was=%d", *mode);
}
