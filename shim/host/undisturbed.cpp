#include "shim/host/undisturbed.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ration::host {
namespace {

constexpr int kSignals = 64;  // the kernel's _NSIG of both processors

constexpr std::uint64_t bit(int signal) { return std::uint64_t{1} << (signal - 1); }

// A blocked fault ends the process. 32 and 33 are libc's: pthread_cancel, and setuid, which waits
// until each thread has taken it.
constexpr std::uint64_t kNeverHeld = bit(SIGSEGV) | bit(SIGBUS) | bit(SIGFPE) | bit(SIGILL) |
                                     bit(SIGTRAP) | bit(SIGSYS) | bit(32) | bit(33);

// struct sigaction as the kernel has it (asm/signal.h). By system call, because sigaction may be
// interposed.
struct KernelAction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)();
    std::uint64_t mask;
};

std::uint64_t handled_signals() {
    std::uint64_t handled = 0;
    for (int signal = 1; signal <= kSignals; ++signal) {
        if ((kNeverHeld & bit(signal)) == 0 && has_handler(signal)) handled |= bit(signal);
    }
    return handled;
}

}  // namespace

bool has_handler(int signal) {
    KernelAction action{};
    return syscall(SYS_rt_sigaction, signal, nullptr, &action, sizeof action.mask) == 0 &&
           action.handler != SIG_DFL && action.handler != SIG_IGN;
}

HeldSignals::HeldSignals(Which which) {
    const std::uint64_t held = which == Which::kAll ? ~kNeverHeld : handled_signals();
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &held, &before_, sizeof held);
}

bool HeldSignals::blocked_before(int signal) const { return (before_ & bit(signal)) != 0; }

HeldSignals::~HeldSignals() {
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr, sizeof before_);
}

}  // namespace ration::host
