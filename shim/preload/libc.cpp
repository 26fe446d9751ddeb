#include "shim/preload/libc.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "shim/preload/objects.h"

namespace ration::libc {
namespace {

using Dlopen = void* (*)(const char* file, int flags);
using Dlerror = char* (*)();

Dlopen real_dlopen() { return reinterpret_cast<Dlopen>(objects::next_definition("dlopen")); }

std::atomic<Dlsym> known_dlsym{nullptr};

// Keeps the signals that a write may raise from ending the program: SIGPIPE where nobody reads its
// stderr any more, SIGXFSZ where that is a file at its size limit. Blocked in this thread, and
// taken away again if our write raised them. By system call, because sigprocmask may be interposed
// and pthread_sigmask was not always in libc. The kernel's signal set is one 64-bit word.
class QuietSignals {
  public:
    QuietSignals() {
        uint64_t pending = 0;
        syscall(SYS_rt_sigpending, &pending, sizeof pending);
        held_ = kRaised & ~pending;  // one that is pending is blocked already, and the program's
        syscall(SYS_rt_sigprocmask, SIG_BLOCK, &held_, &former_, sizeof former_);
    }
    ~QuietSignals() {
        const timespec now{};
        while (syscall(SYS_rt_sigtimedwait, &held_, nullptr, &now, sizeof held_) > 0) continue;
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &former_, nullptr, sizeof former_);
    }
    QuietSignals(const QuietSignals&) = delete;
    QuietSignals& operator=(const QuietSignals&) = delete;

  private:
    static constexpr uint64_t kRaised = uint64_t{1} << (SIGPIPE - 1) | uint64_t{1} << (SIGXFSZ - 1);
    uint64_t held_ = 0;
    uint64_t former_ = 0;
};

}  // namespace

Dlsym real_dlsym() {
    Dlsym found = known_dlsym.load(std::memory_order_relaxed);
    if (found == nullptr) {
        found = reinterpret_cast<Dlsym>(objects::next_definition("dlsym"));
        known_dlsym.store(found, std::memory_order_relaxed);
    }
    return found;
}

void* next_in_scope(const char* name) {
    const Dlsym function = real_dlsym();
    return function != nullptr ? function(RTLD_NEXT, name) : nullptr;
}

void clear_error() {
    if (auto* const error = reinterpret_cast<Dlerror>(objects::next_definition("dlerror"))) error();
}

void* open(const char* file, const char** why) {
    *why = "this program has no dlopen";
    const Dlopen function = real_dlopen();
    if (function == nullptr) return nullptr;
    void* const handle = function(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == nullptr) {
        auto* const error = reinterpret_cast<Dlerror>(objects::next_definition("dlerror"));
        const char* const text = error != nullptr ? error() : nullptr;
        *why = text != nullptr ? text : "dlopen gives no reason";
    }
    return handle;
}

bool pin(const char* soname) {
    const Dlopen function = real_dlopen();
    if (function == nullptr) return false;
    if (function(soname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) != nullptr) return true;
    clear_error();
    return false;
}

void say(const char* text) {
    const QuietSignals guard;
    char prefix[] = "ration: ";
    char newline[] = "\n";
    const iovec parts[] = {
        {prefix, sizeof prefix - 1}, {const_cast<char*>(text), strlen(text)}, {newline, 1}};
    if (writev(STDERR_FILENO, parts, 3) < 0) return;  // nowhere left to say it
}

}  // namespace ration::libc
