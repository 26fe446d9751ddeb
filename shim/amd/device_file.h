// Whether a descriptor is the KFD driver's device file.
#pragma once

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>

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

// The same for one who asks often: a file that was found to be the device file is known by its
// inode from then on, which takes a fifth of the time.
class DeviceFile {
  public:
    bool is(int descriptor) {
        const int saved_errno = errno;
        struct stat file {};
        const bool open = fstat(descriptor, &file) == 0;
        errno = saved_errno;
        if (!open) return false;
        const Inode* const known = known_.load(std::memory_order_acquire);
        if (known != nullptr && known->device == file.st_dev && known->number == file.st_ino) {
            return true;
        }
        if (!is_device_file(descriptor)) return false;
        // The first one is kept; another thread may be reading it, so none is ever freed.
        const Inode* expected = nullptr;
        auto* const found = new Inode{file.st_dev, file.st_ino};
        if (!known_.compare_exchange_strong(expected, found)) delete found;
        return true;
    }

  private:
    struct Inode {
        dev_t device;
        ino_t number;
    };
    std::atomic<const Inode*> known_{nullptr};
};

}  // namespace ration::amd
