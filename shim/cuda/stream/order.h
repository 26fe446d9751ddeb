// The order between the legacy default stream and blocking streams, kept by events.
#pragma once

#include "shim/cuda/stream/domain.h"

namespace ration::cuda::stream {

// What a handle stands for in a call.
struct Named {
    enum class What {
        kOther,     // nothing of ours: the driver gets the handle as it is
        kNull,      // the NULL stream of a home that is current
        kBlocking,  // a stream with a record
    };
    What what = What::kOther;
    CUstream stream = nullptr;  // for the driver
    Domain* domain = nullptr;
    Record* record = nullptr;
    CUresult code = CUDA_SUCCESS;  // else there is no such stream, and the call fails with it
};

// `own`: stream 0 is the thread's own default stream, as in the entry points in _ptsz and _ptds.
Named resolve(CUstream handle, bool own);

// Whether the handle is that of the per-thread default stream.
inline bool names_own(CUstream handle, bool own) {
    return handle == CU_STREAM_PER_THREAD || (own && handle == nullptr);
}

// Something is enqueued while this lives, in the order that CUDA has:
// - in a blocking stream, after the NULL stream's latest operation;
// - in the NULL stream, after all that blocking streams were given before.
class Ordered {
  public:
    explicit Ordered(const Named& named);
    // Also where the thread is cancelled in the driver: what was called may have been enqueued.
    ~Ordered();
    Ordered(const Ordered&) = delete;
    Ordered& operator=(const Ordered&) = delete;

    // What the call is to fail with; else the driver is to be called, and its result told.
    CUresult refusal() const { return refusal_; }
    void result(CUresult result) { failed_ = result != CUDA_SUCCESS; }

  private:
    const Named& named_;
    CUresult refusal_ = CUDA_SUCCESS;
    OrderLock::Held held_ = 0;
    bool failed_ = false;
    bool captured_ = false;
};

// The NULL stream is asked how far it is, or waited for: puts what blocking streams were given
// before it, without an operation of its own.
CUresult join_null(Domain& domain);

// Puts the record's event behind all that its stream was given, with the order taken.
CUresult note_work(Record& record, CUstream stream);

// Its work is waited for by the NULL stream all the same, if it has any. The caller destroys it
// then, and `destroyed` tells how that went. Nothing else of the stream may be under way.
class Leaving {
  public:
    explicit Leaving(const Named& named);
    ~Leaving();
    Leaving(const Leaving&) = delete;
    Leaving& operator=(const Leaving&) = delete;
    void destroyed(CUresult result);

  private:
    const Named& named_;
    OrderLock::Held held_ = 0;
    bool idle_ = false;
};

}  // namespace ration::cuda::stream
