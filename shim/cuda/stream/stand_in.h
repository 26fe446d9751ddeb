// Stand-ins for the per-thread default stream, which green contexts do not have: a stream for each
// thread and home, from the thread's first use of it until it ends.
#pragma once

#include "shim/cuda/stream/domain.h"
#include "shim/cuda/stream/thread.h"

namespace ration::cuda::stream {

struct StandIn {
    Domain* domain;
    std::uint64_t life;  // of the domain, when it was made
    Record* record;
    StandIn* next;
};

// The calling thread's, made if it has none. Null, and `why`.
Record* own_stream(Domain& domain, CUresult& why);

// The thread ends: its stand-ins are for others, when they are idle.
void give_back(Thread& thread);

// With registry() locked, before the domain's records are forgotten.
void forget_idle(Domain& domain);

}  // namespace ration::cuda::stream
