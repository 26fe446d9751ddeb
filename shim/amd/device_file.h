// Whether a request goes to the KFD driver's device file.
#pragma once

#include <errno.h>
#include <linux/ioctl.h>
#include <sys/stat.h>

#include <atomic>

namespace ration::amd {

enum class DeviceKind { kKfd, kOther, kUnknown };

// By what the descriptor stands for now, since numbers are used again: the kernel's own name for
// the device (/sys/dev/char), else the name by which it was opened. A name says yes alone: a device
// may have any, and none where /proc is missing or another process's. kUnknown: a device, or what
// may be one, of which neither tells. Keeps errno. With syscall(2) and readlink(2) alone of libc,
// because the front asks too, in programs that have nothing to do with a GPU.
DeviceKind device_kind(int descriptor);

// Whether a request that goes to an unknown device is one of KFD's (include/uapi/linux/
// kfd_ioctl.h): its type, which it shares with the console (linux/kd.h, whose requests have no
// size), a structure, and a number of its list, which ended at 0x26 in Linux 6.8.
constexpr bool may_be_kfds(unsigned long request) {
    constexpr unsigned kNumbers = 0x40;
    return _IOC_TYPE(request) == 'K' && _IOC_SIZE(request) != 0 && _IOC_DIR(request) != _IOC_NONE &&
           _IOC_NR(request) != 0 && _IOC_NR(request) < kNumbers;
}

constexpr bool is_kfds(DeviceKind kind, unsigned long request) {
    return kind == DeviceKind::kKfd || (kind == DeviceKind::kUnknown && may_be_kfds(request));
}

// The same for one who asks often: a file that was found to be the device file is known by its
// inode from then on, without a look at its links.
class DeviceFile {
  public:
    bool is_asked(int descriptor, unsigned long request) {
        return is_kfds(kind_of(descriptor), request);
    }

  private:
    DeviceKind kind_of(int descriptor) {
        const int saved_errno = errno;
        struct stat file {};
        const bool open = fstat(descriptor, &file) == 0;
        errno = saved_errno;
        const Inode* const known = known_.load(std::memory_order_acquire);
        if (open && known != nullptr && known->device == file.st_dev &&
            known->number == file.st_ino) {
            return DeviceKind::kKfd;
        }
        const DeviceKind kind = device_kind(descriptor);
        if (open && kind == DeviceKind::kKfd) keep(file);
        return kind;
    }

    // The first one is kept; another thread may be reading it, so none is ever freed.
    void keep(const struct stat& file) {
        const Inode* expected = nullptr;
        auto* const found = new Inode{file.st_dev, file.st_ino};
        if (!known_.compare_exchange_strong(expected, found)) delete found;
    }

    struct Inode {
        dev_t device;
        ino_t number;
    };
    std::atomic<const Inode*> known_{nullptr};
};

}  // namespace ration::amd
