#include "shim/amd/program_memory.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ration::amd {
namespace {

// A page is of this size or a multiple of it, and a word that is aligned lies in one page.
constexpr std::uintptr_t kPage = 4096;
constexpr std::uintptr_t kWord = sizeof(std::uint64_t);

// rt_sigprocmask(2) copies the set before it looks at what is to be done with it, which is nothing
// that it knows (kernel/signal.c): a tenth of the time that process_vm_readv(2) takes, and no
// sandbox forbids it. To it no address means that there is no set.
bool can_read_word(std::uintptr_t at) {
    constexpr int kNothingKnown = -1;
    if (at == 0) return false;
    return syscall(SYS_rt_sigprocmask, kNothingKnown, at, nullptr, kWord) == 0 || errno != EFAULT;
}

}  // namespace

bool can_read(const void* from, std::size_t bytes) {
    const auto begin = reinterpret_cast<std::uintptr_t>(from);
    const std::uintptr_t end = begin + bytes;
    if (end < begin) return false;
    for (std::uintptr_t at = begin / kWord * kWord; at < end; at = (at / kPage + 1) * kPage) {
        if (!can_read_word(at)) return false;
    }
    return true;
}

}  // namespace ration::amd
