// The entry points of stream capture.
#include <algorithm>

#include "tests/sim/driver/on_stream.h"

using sim::Call;
using sim::CapturePtr;
using sim::Driver;
using sim::on_stream;
using sim::or_own;

namespace {

bool has_all(const CUgraph_st& graph, const std::vector<CUgraphNode>& nodes) {
    return std::all_of(nodes.begin(), nodes.end(),
                       [&](CUgraphNode each) { return graph.has(each); });
}

bool legacy(CUstream stream) { return stream == stream->context->legacy.get(); }

CUresult begin(const char* symbol, CUstream handle, CUstreamCaptureMode mode,
               CUgraph graph = nullptr, const std::vector<CUgraphNode>& after = {}) {
    return on_stream(symbol, handle, [&](Driver& driver, CUstream stream, auto&) {
        if (legacy(stream) && stream->context->green == nullptr) {
            return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
        }
        if (mode > CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_ERROR_INVALID_VALUE;
        if (stream->capture != nullptr) return CUDA_ERROR_ILLEGAL_STATE;
        if (graph != nullptr && (driver.graphs.count(graph) == 0 || !has_all(*graph, after))) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        sim::begin_capture(driver, stream, mode, graph, after);
        return CUDA_SUCCESS;
    });
}

// Into a graph that there is.
CUresult begin(const char* symbol, CUstream handle, CUstreamCaptureMode mode, CUgraph graph,
               const CUgraphNode* after, std::size_t count) {
    if (graph == nullptr || (after == nullptr && count != 0)) {
        Call call(symbol);
        return call.driver() == nullptr ? call.done() : call.done(CUDA_ERROR_INVALID_VALUE);
    }
    return begin(symbol, handle, mode, graph, {after, after + count});
}

CUresult update(const char* symbol, CUstream handle, const CUgraphNode* nodes, std::size_t count,
                unsigned flags) {
    return on_stream(symbol, handle, [=](Driver&, CUstream stream, auto&) {
        if (stream->capture == nullptr) return CUDA_ERROR_ILLEGAL_STATE;
        if (stream->capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        if (flags > CU_STREAM_SET_CAPTURE_DEPENDENCIES || (nodes == nullptr && count != 0) ||
            !has_all(*stream->capture->graph, {nodes, nodes + count})) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        if (flags == CU_STREAM_SET_CAPTURE_DEPENDENCIES) stream->captured.clear();
        for (std::size_t i = 0; i < count; ++i) {
            auto& all = stream->captured;
            if (std::find(all.begin(), all.end(), nodes[i]) == all.end()) all.push_back(nodes[i]);
        }
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
        static_cast<void>(capture->own.release());  // it is the program's from here on
        *graph = capture->graph;
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
        tell(wanted.graph, capture.graph);
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
CUresult cuStreamBeginCaptureToGraph(CUstream stream, CUgraph graph, const CUgraphNode* after,
                                     const CUgraphEdgeData*, std::size_t count,
                                     CUstreamCaptureMode mode) {
    return begin("cuStreamBeginCaptureToGraph", stream, mode, graph, after, count);
}
CUresult cuStreamBeginCaptureToGraph_ptsz(CUstream stream, CUgraph graph, const CUgraphNode* after,
                                          const CUgraphEdgeData*, std::size_t count,
                                          CUstreamCaptureMode mode) {
    return begin("cuStreamBeginCaptureToGraph_ptsz", or_own(stream), mode, graph, after, count);
}
CUresult cuStreamUpdateCaptureDependencies(CUstream stream, CUgraphNode* nodes, std::size_t count,
                                           unsigned flags) {
    return update("cuStreamUpdateCaptureDependencies", stream, nodes, count, flags);
}
CUresult cuStreamUpdateCaptureDependencies_ptsz(CUstream stream, CUgraphNode* nodes,
                                                std::size_t count, unsigned flags) {
    return update("cuStreamUpdateCaptureDependencies_ptsz", or_own(stream), nodes, count, flags);
}
CUresult cuStreamUpdateCaptureDependencies_v2(CUstream stream, CUgraphNode* nodes,
                                              const CUgraphEdgeData*, std::size_t count,
                                              unsigned flags) {
    return update("cuStreamUpdateCaptureDependencies_v2", stream, nodes, count, flags);
}
CUresult cuStreamUpdateCaptureDependencies_v2_ptsz(CUstream stream, CUgraphNode* nodes,
                                                   const CUgraphEdgeData*, std::size_t count,
                                                   unsigned flags) {
    return update("cuStreamUpdateCaptureDependencies_v2_ptsz", or_own(stream), nodes, count, flags);
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
