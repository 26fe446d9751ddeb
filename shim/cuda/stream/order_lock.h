// A reader-writer lock that is fair and that gives up waiting.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace ration::cuda::stream {

class Patience;

// Held while something is enqueued, which now and then waits for the device: a full queue, a copy
// from memory that the driver has to stage. The device may be waiting for the program, and the
// program for this lock. Who has waited for a second, all of it in the same turn of the one who has
// it, gives up on that one: by then whatever it enqueues has reached its stream. So whoever holds
// it for that long counts no more, and nobody else waits for it again. It may be gone: a signal
// handler has left the driver by longjmp.
class OrderLock {
  public:
    // What is given back in the end; 0 is nothing. Many at once may share it.
    using Held = std::uint32_t;

    // Inlined as far as nobody takes it.
    Held share() {
        const Held held = sharers_.enter();
        return is_shared(held) ? held : share_when_free(held);
    }
    void unshare(Held held) {
        if (sharers_.leave(held) && is_taken(taken_.load())) sharers_.wake_all();
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
        // Enters, unless it is in that count.
        Held stay(Held held);
        // Whether that was the last one there.
        bool leave(Held held) { return held != 0 && counts_[held - 1].fetch_sub(1) == 1; }
        bool empty() const { return counts_[now_.load()].load() == 0; }
        // Until it is empty, or for a while. False when patience is at its end: who is there is
        // forgotten, and if no count is left for that, not to be waited for all the same.
        bool wait(Patience& patience);
        void wake_all();

      private:
        static constexpr unsigned kCounts = 16;
        void forget(std::uint32_t now);

        Word now_{0};
        std::array<Word, kCounts> counts_{};
    };

    // Of `taken_`; above these bits a number that is another each time that it is taken.
    static constexpr std::uint32_t kSleeping = 1;  // somebody sleeps until it is free
    static constexpr std::uint32_t kTaken = 2;
    static constexpr std::uint32_t kTurn = 4;
    static bool is_taken(std::uint32_t word) { return (word & kTaken) != 0; }

    // Whom a taker lets go first.
    struct Heeds {
        bool queued = true;
        bool late = true;
    };

    // Each says first that it is there and then looks for the other.
    bool is_shared(Held held) const { return !is_taken(taken_.load()) && sharers_.has(held); }
    [[gnu::cold]] Held share_when_free(Held held);
    // Until it is free, or taken in another turn.
    void outwait_turn();
    [[gnu::cold]] Held turn();
    Held try_turn(Heeds heeds);
    [[gnu::cold]] bool change(Held held, std::uint32_t next);
    [[gnu::cold]] Held outwait_sharers(Held held);

    Crowd sharers_;
    Crowd queued_;  // sharers that found it taken: they come before the next who takes it
    Crowd late_;    // who wants to take it and found it taken time and again: before who comes anew
    Word taken_{0};
};

}  // namespace ration::cuda::stream
