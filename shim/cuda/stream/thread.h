// What the layer keeps of each thread, and how a call finds it: by its distance from the thread
// pointer, because the layer's own library has no thread-local storage.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "shim/host/generation.h"

namespace ration::cuda::stream {

struct StandIn;

struct Thread {
    // Odd while the thread is inside of a call that may enqueue something; never the same again
    // after such a call. Written by the thread alone.
    std::atomic<std::uint64_t> calls{0};
    StandIn* stand_ins = nullptr;  // the thread's own
    // green::Homes::changes() when the context that is current was last seen to live; 0: not since
    // the thread made another current. The thread's own, and no business of the layer's.
    std::uint64_t seen_to_live = 0;

    std::atomic<bool> taken{true};
    Thread* next = nullptr;  // never changes once it is listed
};

// Two words of the calling thread, as the front of the process keeps them: how deep it is in calls
// of the driver, and one for the layer. At the same distance from the thread pointer in each
// thread: both are in static TLS.
struct Places {
    int* (*depth)();
    void** (*word)();
};
// False if no thread-specific key is to be had. Once in a process.
bool set_places(const Places& places);

// Whether this process is the one that the layer was made ready in. In a forked child, until
// begin() is called there, the locks are as the parent's threads left them.
inline std::atomic<std::uint32_t> begun_in{0};  // host::generation(); 0: nowhere yet
inline bool is_own_process() {
    return begun_in.load(std::memory_order_acquire) == host::generation();
}

// In a forked child: none of the threads that were inside of a call is here.
void renew_threads();

inline std::ptrdiff_t depth_distance = 0;
inline std::ptrdiff_t word_distance = 0;

inline char* thread_pointer() { return static_cast<char*>(__builtin_thread_pointer()); }
inline int& depth() { return *reinterpret_cast<int*>(thread_pointer() + depth_distance); }
inline void*& word() { return *reinterpret_cast<void**>(thread_pointer() + word_distance); }

// Makes the thread known: word() is not null any more. Where there is no memory for that it is a
// record for all such threads, which counts as being inside always.
[[gnu::cold, gnu::noinline]] Thread& enrol();
// Whether the thread has a record of its own.
bool is_listed(const Thread& thread);

inline Thread* known_thread() { return static_cast<Thread*>(word()); }
inline Thread& this_thread() {
    Thread* const known = known_thread();
    return known != nullptr ? *known : enrol();
}

// The thread is inside of a call of the layer: what the driver calls from within, goes straight to
// the driver.
class Inside {
  public:
    [[gnu::always_inline]] Inside() : depth_(depth()) { ++depth_; }
    [[gnu::always_inline]] ~Inside() { --depth_; }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

    bool nested() const { return depth_ > 1; }

  private:
    int& depth_;
};

// The same for a call that may enqueue something. The order of the store here and the load of the
// flags that follows is the compiler's alone to keep: whoever sets a flag makes every processor see
// it by membarrier(2).
class Counted : public Inside {
  public:
    [[gnu::always_inline]] explicit Counted(Thread& thread)
        : calls_(thread.calls), before_(calls_.load(std::memory_order_relaxed)) {
        calls_.store(before_ | 1, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    // Within another call of this thread, the outer one's number stays.
    [[gnu::always_inline]] ~Counted() {
        calls_.store(before_ + (~before_ & 1) * 2, std::memory_order_release);
    }

  private:
    std::atomic<std::uint64_t>& calls_;
    const std::uint64_t before_;
};

// The thread is inside of a call, but will enqueue nothing while this lives: nobody waits for it.
class Paused {
  public:
    explicit Paused(Thread& thread) : calls_(thread.calls), before_(calls_.load()) {
        calls_.store(before_ + (before_ & 1));
    }
    ~Paused() { calls_.store(before_ + (before_ & 1) * 2); }
    Paused(const Paused&) = delete;
    Paused& operator=(const Paused&) = delete;

  private:
    std::atomic<std::uint64_t>& calls_;
    const std::uint64_t before_;
};

// Waits until every other thread has left the call that it may be inside of now, but no longer than
// a call takes that does not itself wait for the device (README.md).
void wait_for_calls();

}  // namespace ration::cuda::stream
