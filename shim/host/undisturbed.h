// Work of ours in a thread of the program, which must not be left half done.
#pragma once

#include <pthread.h>

#include <cstdint>

namespace ration::host {

// The thread is not cancelled (pthread_cancel(3)) while this lives. Where it ends, a request that
// came meanwhile may act, if the thread may be cancelled at any point: hence noexcept(false).
class Uncancelled {
  public:
    Uncancelled() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
    ~Uncancelled() noexcept(false) { set(before_); }
    Uncancelled(const Uncancelled&) = delete;
    Uncancelled& operator=(const Uncancelled&) = delete;

    // Around a call of the program's: there its own setting holds.
    class Pause {
      public:
        explicit Pause(const Uncancelled& paused) { set(paused.before_); }
        ~Pause() noexcept(false) { set(PTHREAD_CANCEL_DISABLE); }
        Pause(const Pause&) = delete;
        Pause& operator=(const Pause&) = delete;
    };

  private:
    static void set(int state) {
        int former = 0;
        pthread_setcancelstate(state, &former);
    }

    int before_ = PTHREAD_CANCEL_ENABLE;
};

// Signals that wait in this thread while this lives, so that no handler leaves our work by a
// longjmp. Never those that a fault of the thread itself raises, nor libc's own two.
//
// kHandled: those that have a handler, for work that may take long: an interrupt that would end the
// program still does. kAll: for a few instructions, since it costs two system calls and not one for
// each signal.
class HeldSignals {
  public:
    enum class Which { kHandled, kAll };
    explicit HeldSignals(Which which);
    ~HeldSignals();
    HeldSignals(const HeldSignals&) = delete;
    HeldSignals& operator=(const HeldSignals&) = delete;

    bool blocked_before(int signal) const;

  private:
    std::uint64_t before_ = 0;  // the kernel's signal set is one 64-bit word
};

// Whether the program handles a signal itself.
bool has_handler(int signal);

}  // namespace ration::host
