#include "shim/state/locks.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <vector>

namespace ration::state {
namespace {

struct flock flock_of(Span span, short type) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = span.begin;
    lock.l_len = span.end - span.begin;
    return lock;
}

std::int64_t end_of(const struct flock& lock) {
    // 0: to the end, however far the file grows
    return lock.l_len == 0 ? std::numeric_limits<std::int64_t>::max() : lock.l_start + lock.l_len;
}

}  // namespace

bool lock(int fd, Span span, short type) {
    struct flock lock = flock_of(span, type);
    int result = -1;
    do {
        result = fcntl(fd, F_SETLK, &lock);
    } while (result != 0 && errno == EINTR);
    return result == 0;
}

void unlock(int fd, Span span) {
    struct flock lock = flock_of(span, F_UNLCK);
    fcntl(fd, F_SETLK, &lock);
}

std::optional<Held> conflict(int fd, Span span) {
    if (span.begin >= span.end) return std::nullopt;
    struct flock lock = flock_of(span, F_WRLCK);
    if (fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return std::nullopt;
    const Span common{std::max<std::int64_t>(span.begin, lock.l_start),
                      std::min(span.end, end_of(lock))};
    return Held{common, lock.l_pid, lock.l_type == F_WRLCK};
}

bool scan(int fd, Span span, unsigned budget, const std::function<void(const Held&)>& found) {
    // What a conflict leaves of a span, below and above it, is asked about again.
    std::vector<Span> open{span};
    for (; !open.empty() && budget > 0; --budget) {
        const Span here = open.back();
        open.pop_back();
        const auto held = conflict(fd, here);
        if (!held) continue;
        found(*held);
        if (held->span.end < here.end) open.push_back({held->span.end, here.end});
        if (here.begin < held->span.begin) open.push_back({here.begin, held->span.begin});
    }
    return open.empty();
}

bool holds(int fd, std::int64_t byte) {
#ifdef F_OFD_GETLK
    struct flock lock = flock_of({byte, byte + 1}, F_WRLCK);
    if (fcntl(fd, F_OFD_GETLK, &lock) != 0) return errno == EINVAL;
    return lock.l_type != F_UNLCK && lock.l_pid == getpid();
#else
    return fd >= 0 && byte >= 0;
#endif
}

}  // namespace ration::state
