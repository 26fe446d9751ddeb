// Streams and events as the driver keeps them.
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <vector>

#include "tests/sim/driver/api.h"
#include "tests/sim/driver/capture.h"
#include "tests/sim/driver/work.h"

// The handles' types are cuda.h's, so they live outside the namespace.
struct CUstream_st {
    CUcontext context;
    unsigned flags;
    int priority;
    unsigned long long id;
    sim::WorkPtr tail = nullptr;             // its last work
    sim::CapturePtr capture = nullptr;       // that it is in
    std::vector<CUgraphNode> captured = {};  // what its next node there comes after
    std::map<CUstreamAttrID, CUstreamAttrValue> attributes = {};  // that were set
    bool blocking() const { return (flags & CU_STREAM_NON_BLOCKING) == 0; }
};

namespace sim {

constexpr int kGreatestPriority = -5;  // the least is 0

// What a stream had still to do when it was destroyed.
struct Leftover {
    WorkPtr tail;
    bool blocking;
};

// One recording of an event.
struct Record {
    WorkPtr work = nullptr;
    std::chrono::steady_clock::time_point at{};
};

// `handle` in an entry point whose default stream is the thread's own (_ptsz, _ptds).
inline CUstream or_own(CUstream handle) {
    return handle != nullptr ? handle : CU_STREAM_PER_THREAD;
}

}  // namespace sim

struct CUevent_st {
    CUcontext context;
    unsigned flags;
    std::shared_ptr<sim::Record> last = nullptr;  // null before the first
    // If it was last recorded in a capture: that, and what had been captured before.
    sim::CapturePtr capture = nullptr;
    std::vector<CUgraphNode> captured = {};
};
