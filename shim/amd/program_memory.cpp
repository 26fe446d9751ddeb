#include "shim/amd/program_memory.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace ration::amd {

// By this thread's id: that of the process names the main thread, which may have ended by itself.
// The memory is our own, so no right is needed for it (mm_access() in kernel/fork.c).
bool copy_from_program(void* to, const void* from, std::size_t bytes) {
    const iovec local{to, bytes};
    const iovec remote{const_cast<void*>(from), bytes};
    const auto thread = static_cast<pid_t>(syscall(SYS_gettid));
    const ssize_t got = process_vm_readv(thread, &local, 1, &remote, 1, 0);
    if (got >= 0) return static_cast<std::size_t>(got) == bytes;
    if (errno == EFAULT) return false;
    std::memcpy(to, from, bytes);
    return true;
}

bool can_read(const void* from, std::size_t bytes) {
    char part[256];
    const auto* at = static_cast<const char*>(from);
    for (std::size_t left = bytes; left > 0;) {
        const std::size_t next = std::min(left, sizeof part);
        if (!copy_from_program(part, at, next)) return false;
        at += next;
        left -= next;
    }
    return true;
}

}  // namespace ration::amd
