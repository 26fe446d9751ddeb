// A reader-writer lock that is fair and that gives up waiting.
#pragma once

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

    // Inlined as far as nobody takes it: each says first that it is there and then looks for the
    // other.
    Held share() {
        const Held held = sharers_.enter();
        return taken_.load() == 0 ? held : share_when_free(held);
    }
    void unshare(Held held) {
        if (sharers_.leave(held) && taken_.load() != 0) sharers_.wake_all();
    }
    Held take();
    void release(Held held);

  private:
    using Word = std::atomic<std::uint32_t>;

    // Those who are inside of something. They are counted in the lower half of the word; the upper
    // one is the number of times that whoever was inside has been forgotten.
    class Crowd {
      public:
        Held enter() { return (word_.fetch_add(1) >> kBits) + 1; }
        // Whether that was the last one. Who was forgotten has left already.
        bool leave(Held held) {
            std::uint32_t now = word_.load(std::memory_order_relaxed);
            while ((now >> kBits) + 1 == held && count(now) != 0) {
                if (word_.compare_exchange_weak(now, now - 1)) return count(now) == 1;
            }
            return false;
        }
        bool empty() const { return count(word_.load()) == 0; }
        // Until it is empty, with a second's patience.
        void wait();
        void wake_all();

      private:
        static constexpr unsigned kBits = 16;
        static std::uint32_t count(std::uint32_t word) { return word & ((1U << kBits) - 1); }
        void forget();

        Word word_{0};
    };

    [[gnu::cold]] Held share_when_free(Held held);
    bool free_in_time();

    Crowd sharers_;
    Crowd queued_;   // sharers that found it taken: they come before the next who takes it
    Word taken_{0};  // by whom, and the lowest bit: somebody sleeps until it is free
};

}  // namespace ration::cuda::stream
