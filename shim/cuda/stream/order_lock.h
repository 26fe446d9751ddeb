// A reader-writer lock that is fair and that gives up waiting.
#pragma once

#include <atomic>
#include <cstdint>

namespace ration::cuda::stream {

// Held while something is enqueued, which now and then waits for the device: a full queue, a copy
// from memory that the driver has to stage. The device may be waiting for the program, and the
// program for this lock. Who has waited for a second goes on without it: by then whatever the other
// one enqueues has reached its stream.
class OrderLock {
  public:
    // Whether it was got: only then it is given back. Many at once may share it.
    // Inlined as far as nobody takes it: each says first that it is there and then looks for the
    // other.
    bool share() {
        sharers_.fetch_add(1);
        return taken_.load() == 0 || share_when_free();
    }
    void unshare() {
        if (sharers_.fetch_sub(1) == 1 && taken_.load() != 0) wake_all(sharers_);
    }
    bool take();
    void release();

  private:
    using Word = std::atomic<std::uint32_t>;

    [[gnu::cold]] bool share_when_free();
    // False when patience is at its end.
    static bool wait_for_zero(Word& word, bool tell);
    static void wake_all(Word& word);

    Word sharers_{0};
    Word queued_{0};  // sharers that found it taken: they come before the next who takes it
    Word taken_{0};   // 1, or 2 if somebody sleeps until it is 0
};

}  // namespace ration::cuda::stream
