// The locks of a file's bytes: fcntl(2)'s classic ones, which die with the process, however it
// dies, and which a forked child does not inherit.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>

namespace ration::state {

// Bytes [begin, end). The kernel locks bytes up to 2^63 - 1, however short the file is.
struct Span {
    std::int64_t begin = 0;
    std::int64_t end = 0;
};

// What another process has locked.
struct Held {
    Span span;
    pid_t pid = 0;           // 0 or less: of a PID namespace that this process does not see
    bool exclusive = false;  // a write lock
};

// `type` is F_RDLCK or F_WRLCK. Never waits. False with errno EAGAIN or EACCES if a lock of another
// process is in the way, else with what the system says (ENOLCK).
bool lock(int fd, Span span, short type);
void unlock(int fd, Span span);

// One of the locks of other processes in `span`, if there are any: not the lowest.
std::optional<Held> conflict(int fd, Span span);

// All that other processes hold of `span`: each byte once, by one of its holders, in no order.
// False if it stopped after `budget` questions to the kernel, since anybody may lock every second
// byte.
bool scan(int fd, Span span, unsigned budget, const std::function<void(const Held&)>& found);

// Whether this process's own write lock on a byte is there: F_GETLK does not speak of one's own
// locks, F_OFD_GETLK does. True where the kernel knows no F_OFD_GETLK (before Linux 3.15).
bool holds(int fd, std::int64_t byte);

}  // namespace ration::state
