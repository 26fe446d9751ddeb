#include "tests/sim/driver/capture.h"

#include <algorithm>

#include "tests/sim/driver/driver.h"

namespace sim {
namespace {

// The captures that a context's streams are in.
std::set<Capture*> captures_of(CUcontext context, bool blocking_alone) {
    std::set<Capture*> found;
    const auto look = [&](CUstream stream) {
        if (stream->capture != nullptr && (stream->blocking() || !blocking_alone)) {
            found.insert(stream->capture.get());
        }
    };
    for (CUstream each : context->streams) look(each);
    for (const auto& [thread, own] : context->per_thread) look(own.get());
    // In a green context the NULL stream can be captured too (measured).
    if (!blocking_alone) look(context->legacy.get());
    return found;
}

CUresult spoil(const std::set<Capture*>& captures, CUresult why) {
    for (Capture* each : captures) each->invalid = true;
    return captures.empty() ? CUDA_SUCCESS : why;
}

void merge(std::vector<CUgraphNode>& into, const std::vector<CUgraphNode>& nodes) {
    for (CUgraphNode node : nodes) {
        if (std::find(into.begin(), into.end(), node) == into.end()) into.push_back(node);
    }
}

}  // namespace

CUresult legacy_usable(CUcontext context, bool spoiling) {
    const std::set<Capture*> captures = captures_of(context, true);
    if (spoiling) return spoil(captures, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    return captures.empty() ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
}

CUresult progress_known(CUstream stream) {
    if (stream->capture != nullptr) {
        return spoil({stream->capture.get()}, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    }
    const bool legacy = stream == stream->context->legacy.get();
    return legacy ? legacy_usable(stream->context, true) : CUDA_SUCCESS;
}

CUresult progress_known(const Driver& driver, CUcontext context) {
    std::set<Capture*> captures;
    for (CUcontext each : driver.contexts) {
        if (each == context || each->root == context) captures.merge(captures_of(each, false));
    }
    return spoil(captures, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
}

CUresult unsafe_allowed(const Driver& driver) {
    const CUstreamCaptureMode mode = capture_mode();
    std::set<Capture*> against;
    for (const CapturePtr& each : driver.captures) {
        const bool local =
            each->thread == thread_number() && each->mode != CU_STREAM_CAPTURE_MODE_RELAXED;
        const bool global =
            mode == CU_STREAM_CAPTURE_MODE_GLOBAL && each->mode == CU_STREAM_CAPTURE_MODE_GLOBAL;
        if (mode != CU_STREAM_CAPTURE_MODE_RELAXED && (local || global)) against.insert(each.get());
    }
    return spoil(against, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
}

CUresult capture_task(CUstream stream, Task task) {
    Capture& capture = *stream->capture;
    if (capture.invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    const CUgraphNodeType type = task.node;
    stream->captured = {capture.graph->add(type, std::move(task), stream->captured)};
    return CUDA_SUCCESS;
}

CUgraphNode capture_node(CUstream stream, CUgraphNodeType type) {
    const CUresult result = capture_task(stream, {[] {}, nullptr, nullptr, type});
    return result == CUDA_SUCCESS ? stream->captured.front() : nullptr;
}

CUresult capture_record(CUstream stream, CUevent event) {
    if (stream->capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    event->capture = stream->capture;
    event->captured = stream->captured;
    return CUDA_SUCCESS;
}

CUresult capture_wait(CUstream stream, CUevent event) {
    const CapturePtr other = event->capture;
    if (stream->capture != nullptr && stream->capture->invalid) {
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    }
    if (other == nullptr) {  // recorded outside
        if (event->last == nullptr) return CUDA_SUCCESS;
        return spoil({stream->capture.get()}, CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
    }
    if (other->invalid || other->streams.empty()) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (stream->capture == nullptr) {
        if (stream == stream->context->legacy.get() && stream->context->green == nullptr) {
            return spoil({other.get()}, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
        }
        stream->capture = other;
        other->streams.insert(stream);
    }
    if (stream->capture != other) {
        return spoil({stream->capture.get(), other.get()}, CUDA_ERROR_STREAM_CAPTURE_MERGE);
    }
    merge(stream->captured, event->captured);
    return CUDA_SUCCESS;
}

void begin_capture(Driver& driver, CUstream stream, CUstreamCaptureMode mode, CUgraph graph,
                   std::vector<CUgraphNode> after) {
    const auto capture =
        std::make_shared<Capture>(Capture{++driver.last_capture, stream, mode, thread_number()});
    if (graph == nullptr) {
        capture->own = std::make_unique<CUgraph_st>();
        graph = capture->own.get();
    }
    capture->graph = graph;
    capture->before = graph->nodes.size();
    capture->streams.insert(stream);
    stream->capture = capture;
    stream->captured = std::move(after);
    driver.captures.insert(capture);
}

void end_capture(Driver& driver, const CapturePtr& capture) {
    driver.captures.erase(capture);
    for (CUstream each : capture->streams) {
        each->capture = nullptr;
        each->captured.clear();
    }
    capture->streams.clear();
}

bool joined(const Capture& capture) {
    const auto& nodes = capture.graph->nodes;
    const auto first = nodes.begin() + static_cast<std::ptrdiff_t>(capture.before);
    return std::all_of(first, nodes.end(), [&](const auto& node) {
        return reaches(capture.origin->captured, node.get());
    });
}

}  // namespace sim
