// A reader-writer lock that is fair and that gives up waiting.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace ration::cuda::stream {

// Held while something is enqueued, which now and then waits for the device: a full queue, a copy
// from memory that the driver has to stage. The device may be waiting for the program, and the
// program for this lock. Who has waited for a second goes on: by then whatever the other one
// enqueues has reached its stream. So whoever holds it for that long counts no more, and nobody
// else waits for it again. It may be gone: a signal handler has left the driver by longjmp.
class OrderLock {
  public:
    // What is given back in the end; 0: it was not got, and nothing is. Many at once may share it.
    using Held = std::uint32_t;

    // Inlined as far as nobody takes it.
    Held share() {
        const Held held = sharers_.enter();
        return is_shared(held) ? held : share_when_free(held);
    }
    void unshare(Held held) {
        if (sharers_.leave(held) && taken_.load() != 0) sharers_.wake_all();
    }
    Held take();
    void release(Held held);

  private:
    using Word = std::atomic<std::uint32_t>;

    // Those who are inside of something. Whoever is to be forgotten stays in the count that it is
    // in, and from then on another one is looked at.
    class Crowd {
      public:
        Held enter() {
            const std::uint32_t now = now_.load(std::memory_order_relaxed);
            counts_[now].fetch_add(1);
            return now + 1;
        }
        // Whether it is in the count that is looked at.
        bool has(Held held) const { return now_.load() + 1 == held; }
        // Whether that was the last one there.
        bool leave(Held held) { return held != 0 && counts_[held - 1].fetch_sub(1) == 1; }
        bool empty() const { return counts_[now_.load()].load() == 0; }
        // Until it is empty, with a second's patience: then who is there is forgotten.
        void wait();
        void wake_all();

      private:
        static constexpr unsigned kCounts = 16;  // if none is free, all goes on as it is
        void forget(std::uint32_t now);

        Word now_{0};
        std::array<Word, kCounts> counts_{};
    };

    // Each says first that it is there and then looks for the other.
    bool is_shared(Held held) const { return taken_.load() == 0 && sharers_.has(held); }
    [[gnu::cold]] Held share_when_free(Held held);
    bool free_in_time();

    Crowd sharers_;
    Crowd queued_;   // sharers that found it taken: they come before the next who takes it
    Word taken_{0};  // by whom, and the lowest bit: somebody sleeps until it is free
};

}  // namespace ration::cuda::stream
