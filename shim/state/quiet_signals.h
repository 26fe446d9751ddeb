// Writing where the system may answer with a signal whose default ends the program.
#pragma once

#include <signal.h>
#include <time.h>

#include <cerrno>

namespace ration::state {

// Holds SIGPIPE (nobody reads the pipe) and SIGXFSZ (RLIMIT_FSIZE, setrlimit(2)) back in this
// thread alone while it writes, and takes back the ones that the writing raised: the kernel sends
// both to the thread that writes. Signal handlers and the process's other threads are not touched;
// errno stays.
class QuietSignals {
  public:
    QuietSignals() {
        sigset_t pending;
        sigpending(&pending);
        sigemptyset(&held_);
        for (const int signal : {SIGPIPE, SIGXFSZ}) {
            // One that is pending is blocked already, and the program's own business.
            if (sigismember(&pending, signal) == 0) sigaddset(&held_, signal);
        }
        pthread_sigmask(SIG_BLOCK, &held_, &before_);
    }
    ~QuietSignals() {
        const int error = errno;
        const timespec at_once{};
        while (sigtimedwait(&held_, nullptr, &at_once) >= 0 || errno == EINTR) {
        }
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
        errno = error;
    }
    QuietSignals(const QuietSignals&) = delete;
    QuietSignals& operator=(const QuietSignals&) = delete;

  private:
    sigset_t held_;
    sigset_t before_;
};

}  // namespace ration::state
