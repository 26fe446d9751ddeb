// Whether a descriptor is the KFD driver's device file.
#pragma once

#include <errno.h>
#include <unistd.h>

namespace ration::amd {

// By what the descriptor stands for now: numbers are used again, and requests of KFD's type are the
// console's too (linux/kd.h). Keeps errno. Inline, and with readlink(2) alone of libc, because the
// front asks too, in programs that have nothing to do with a GPU.
inline bool is_device_file(int descriptor) {
    if (descriptor < 0) return false;
    char link[32] = "/proc/self/fd/";
    unsigned length = sizeof "/proc/self/fd/" - 1;
    unsigned place = 1;
    while (static_cast<unsigned>(descriptor) / place >= 10) place *= 10;
    for (; place > 0; place /= 10) {
        link[length++] = static_cast<char>('0' + static_cast<unsigned>(descriptor) / place % 10);
    }
    constexpr char kPath[] = "/dev/kfd";
    char path[sizeof kPath];
    const int saved_errno = errno;
    const ssize_t got = readlink(link, path, sizeof path);
    errno = saved_errno;
    if (got != sizeof kPath - 1) return false;
    for (ssize_t i = 0; i < got; ++i) {
        if (path[i] != kPath[i]) return false;
    }
    return true;
}

}  // namespace ration::amd
