// Captures of streams into graphs. Everything is guarded by the driver's mutex.
#pragma once
#include <memory>
#include <set>
#include <vector>

#include "tests/sim/driver/api.h"
#include "tests/sim/driver/graph.h"

namespace sim {

class Driver;

// One capture sequence: from cuStreamBeginCapture on `origin` to cuStreamEndCapture.
struct Capture {
    unsigned long long id;
    CUstream origin;
    CUstreamCaptureMode mode;
    unsigned long thread;             // that began it
    std::set<CUstream> streams = {};  // origin, and those that an event brought in
    // Made for it, unless the program gave one.
    std::unique_ptr<CUgraph_st> own = nullptr;
    CUgraph graph = nullptr;
    std::size_t before = 0;  // nodes that the graph had
    bool invalid = false;
};
using CapturePtr = std::shared_ptr<Capture>;

// CUDA_ERROR_STREAM_CAPTURE_IMPLICIT if a blocking stream of the context is being captured, since
// the legacy default stream would have to wait for it. That spoils these captures, if `spoil`.
CUresult legacy_usable(CUcontext context, bool spoil);
// Whether the stream's progress may be asked for. Asking for a captured one spoils the capture.
CUresult progress_known(CUstream stream);
// The same for all streams of a context.
CUresult progress_known(const Driver& driver, CUcontext context);
// Whether the calling thread may make a potentially unsafe call now
// (cuThreadExchangeStreamCaptureMode): if not, that spoils the captures that forbid it.
CUresult unsafe_allowed(const Driver& driver);

// In a stream that is being captured: a new node with nothing to do (null: the capture is spoilt),
// a node for the task, an event that marks what was captured so far, and an event to wait for
// (which may bring the stream into the capture).
CUgraphNode capture_node(CUstream stream, CUgraphNodeType type);
CUresult capture_task(CUstream stream, Task task);
CUresult capture_record(CUstream stream, CUevent event);
CUresult capture_wait(CUstream stream, CUevent event);

// Into a new graph, or after those nodes of one that there is.
void begin_capture(Driver& driver, CUstream stream, CUstreamCaptureMode mode,
                   CUgraph graph = nullptr, std::vector<CUgraphNode> after = {});
// Takes all streams out of the capture.
void end_capture(Driver& driver, const CapturePtr& capture);
// Whether all that was captured is joined to the origin.
bool joined(const Capture& capture);

}  // namespace sim
