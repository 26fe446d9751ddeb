// One vendor's decision: each thread that comes before it works it out by itself, and the first one
// that is ready installs it for the process.
#pragma once

#include <stdint.h>

#include <atomic>

namespace ration::front {

// Zero-initialised and trivially destroyed, so that no constructor runs.
class Decision {
  public:
    bool made() const;

    // Whether this thread is the first of its process: it is then to install the decision and to
    // call done(). Waits for a thread in between, which must not wait for anybody: neither for the
    // loader nor in the driver, and no signal handler may take it out.
    bool first();
    void done();

  private:
    // The process's generation, shifted, and a Phase. A forked child finds its parent's and begins
    // anew, also if it was forked while another thread was installing.
    enum Phase : uint32_t { kInstalling = 1, kMade = 2 };
    static uint32_t word(Phase phase);

    std::atomic<uint32_t> progress_{0};
};

}  // namespace ration::front
