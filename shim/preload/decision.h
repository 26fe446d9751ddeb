// One vendor's decision: made once a process, by one thread, while the others wait.
#pragma once

#include <stdint.h>

#include <atomic>

namespace ration::front {

// Zero-initialised and trivially destroyed, so that no constructor runs.
class Decision {
  public:
    // Whether this thread is to settle it, and then to call done(). Waits for a thread that is
    // about it; false once it is made, and within the thread that makes it.
    bool begin();
    void done();

    bool made() const;

  private:
    // The progress: the process id, shifted, and a Phase. A forked child finds its parent's id and
    // begins anew; this also frees a child that was forked while another thread was deciding.
    enum Phase : uint32_t { kUndecided = 0, kDeciding = 1, kDecided = 2 };
    static uint32_t word(Phase phase);

    std::atomic<uint32_t> progress_{0};
    std::atomic<int> decider_{0};
};

}  // namespace ration::front
