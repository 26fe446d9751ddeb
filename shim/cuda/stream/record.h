// The blocking streams that live in homes, found by their handles.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "shim/cuda/api.h"

namespace ration::cuda::stream {

struct Domain;

// A stream that CUDA would call a blocking one: the program's own, or the stand-in for a thread's
// default stream. A record is never freed, only used again: a call may still be looking at it.
struct Record {
    std::atomic<CUstream> stream{nullptr};  // null: nobody's, or destroyed
    Domain* domain = nullptr;
    CUevent event = nullptr;             // made when it is first needed
    std::atomic<std::uint64_t> seen{0};  // the NULL stream's operation that it has waited for
    std::atomic<bool> dirty{false};      // has work that the NULL stream has not waited for
    Record* next_dirty = nullptr;

    // Guarded by registry().
    bool stand_in = false;  // made by the layer
    bool taken = false;     // also while it is destroyed and dirty: its event is after all its work
    Record* next_in_domain = nullptr;

    std::atomic<Record*> next_in_bucket{nullptr};
};

// Guards which records there are, and whose. No call that may wait is made with it. Taken by
// host::UndisturbedLock alone.
std::mutex& registry();

// In a forked child: there are no records. The parent's are left where they are.
void renew_records();

// Without a lock. Null if the handle names no blocking stream of a home.
Record* find_record(CUstream handle);

// With registry() locked. Null without memory.
Record* add_record(CUstream stream, Domain& domain);
// It is found no more; it is still the domain's.
void hide_record(Record& record);
// Nobody waits for its event any more.
void drop_event(Record& record);
// It may be used for another stream. The caller has taken it from the domain's list.
void free_record(Record& record);

}  // namespace ration::cuda::stream
