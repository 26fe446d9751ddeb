// A home and the order of the work in it.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "shim/cuda/stream/order_lock.h"
#include "shim/cuda/stream/real.h"
#include "shim/cuda/stream/record.h"

namespace ration::cuda::stream {

struct StandIn;

// Never freed, but used again for a later home.
struct Domain {
    std::atomic<CUcontext> home{nullptr};  // null: closed
    CUcontext primary = nullptr;
    std::atomic<std::uint64_t> life{0};  // a number of its own for each home

    // Shared by who enqueues in a blocking stream, taken by who does in the NULL stream.
    OrderLock order;
    // The NULL stream's operations so far. They begin at 1: what was enqueued before the first
    // blocking stream came is waited for as one.
    std::atomic<std::uint64_t> sequence{1};
    std::atomic<Record*> dirty{nullptr};
    std::atomic<unsigned> gone{0};       // on that list, of streams that were destroyed
    std::atomic<unsigned> most_gone{0};  // beyond that, what has finished is dropped

    // Where the NULL stream was after operation `recorded`.
    OrderLock recording;
    CUevent event = nullptr;
    std::atomic<std::uint64_t> recorded{0};

    // Guarded by registry().
    Record* records = nullptr;
    StandIn* idle = nullptr;  // of threads that have ended
};

// The domain whose home is current; null in any other context. Two loads where there is one device.
Domain* domain_of(CUcontext context);
Domain* current_domain();

// In a forked child: there is no home, and nobody in the parent's locks.
void renew_domains();

// The domain's home is current while this lives, whatever was before.
class InHome {
  public:
    explicit InHome(const Domain& domain);
    ~InHome();
    InHome(const InHome&) = delete;
    InHome& operator=(const InHome&) = delete;

  private:
    bool pushed_ = false;
};

// What the layer makes for its own use is allowed while a stream is captured, whatever the mode of
// the capture and of the thread.
class Relaxed {
  public:
    Relaxed();
    ~Relaxed();
    Relaxed(const Relaxed&) = delete;
    Relaxed& operator=(const Relaxed&) = delete;

  private:
    CUstreamCaptureMode mode_ = CU_STREAM_CAPTURE_MODE_RELAXED;
};

// Makes `event` if there is none.
CUresult need_event(const Domain& domain, CUevent& event);

}  // namespace ration::cuda::stream
