#include "shim/cuda/stream/thread.h"

#include <pthread.h>
#include <time.h>

#include <new>

#include "shim/cuda/stream/patience.h"
#include "shim/cuda/stream/stand_in.h"

namespace ration::cuda::stream {
namespace {

constexpr long kPauseNs = 20'000;

pthread_key_t key;
std::atomic<Thread*> threads{nullptr};
Thread without_memory;

// At the thread's end. It may call the driver once more, in a destructor of another key: then it is
// enrolled again, and this is called again.
void leave(void* record) {
    auto& thread = *static_cast<Thread*>(record);
    give_back(thread);
    word() = nullptr;
    thread.taken.store(false, std::memory_order_release);
}

Thread* free_record() {
    for (Thread* each = threads.load(std::memory_order_acquire); each != nullptr;
         each = each->next) {
        bool taken = false;
        if (each->taken.compare_exchange_strong(taken, true, std::memory_order_acq_rel)) {
            return each;
        }
    }
    return nullptr;
}

Thread* new_record() {
    auto* const made = new (std::nothrow) Thread;
    if (made == nullptr) return nullptr;
    made->next = threads.load(std::memory_order_relaxed);
    while (!threads.compare_exchange_weak(made->next, made, std::memory_order_acq_rel)) {
    }
    return made;
}

}  // namespace

bool set_places(const Places& places) {
    char* const here = thread_pointer();
    depth_distance = reinterpret_cast<char*>(places.depth()) - here;
    word_distance = reinterpret_cast<char*>(places.word()) - here;
    without_memory.calls = 1;
    return pthread_key_create(&key, &leave) == 0;
}

Thread& enrol() {
    Thread* record = free_record();
    if (record == nullptr) record = new_record();
    // Its former thread may have ended with a call that a handler had left by longjmp.
    if (record != nullptr) record->calls.fetch_add(record->calls & 1);
    if (record != nullptr) record->seen_to_live = 0;
    // Without the key's destructor the record is lost when the thread ends, and nothing else.
    if (record != nullptr) pthread_setspecific(key, record);
    if (record == nullptr) record = &without_memory;
    word() = record;
    return *record;
}

void renew_threads() {
    for (Thread* each = threads; each != nullptr; each = each->next) each->calls = 0;
}

bool is_listed(const Thread& thread) { return &thread != &without_memory; }

void wait_for_calls() {
    const Thread* const self = known_thread();
    Patience patience;  // with all: each has been inside since before the first is waited for
    for (Thread* each = threads.load(std::memory_order_acquire); each != nullptr;
         each = each->next) {
        const std::uint64_t seen = each->calls.load(std::memory_order_acquire);
        if (each == self || (seen & 1) == 0) continue;
        while (each->calls.load(std::memory_order_acquire) == seen && patience.lasts()) {
            const std::int64_t start = now_ns();
            const timespec pause{0, kPauseNs};
            nanosleep(&pause, nullptr);
            patience.spend(now_ns() - start);
        }
    }
}

}  // namespace ration::cuda::stream
