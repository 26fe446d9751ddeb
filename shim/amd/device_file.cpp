#include "shim/amd/device_file.h"

#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <string_view>

namespace ration::amd {
namespace {

// A path in a buffer of its own, and what a link at that place says.
class Link {
  public:
    Link& operator<<(const char* text) {
        while (*text != '\0') put(*text++);
        return *this;
    }
    Link& operator<<(unsigned number) {
        unsigned place = 1;
        while (number / place >= 10) place *= 10;
        for (; place > 0; place /= 10) put(static_cast<char>('0' + number / place % 10));
        return *this;
    }

    // False where there is no link, or /proc or /sys are not there.
    bool read() {
        path_[length_] = '\0';
        const ssize_t got = readlink(path_, target_, sizeof target_);
        got_ = got > 0 ? static_cast<std::size_t>(got) : 0;
        return got_ != 0;
    }

    bool is(std::string_view name) const { return got_ == name.size() && ends(name); }

    // What does not fit is not ours: both names are short.
    bool ends(std::string_view name) const {
        if (name.size() > got_ || got_ == sizeof target_) return false;
        for (std::size_t i = 0; i < name.size(); ++i) {
            if (target_[got_ - name.size() + i] != name[i]) return false;
        }
        return true;
    }

  private:
    void put(char c) {
        if (length_ + 1 < sizeof path_) path_[length_++] = c;
    }

    char path_[48] = "";
    std::size_t length_ = 0;
    char target_[256];
    std::size_t got_ = 0;
};

// The driver makes a device "kfd" of a class "kfd" (kfd_chardev_init in kfd_chardev.c), which is a
// link to ../../devices/virtual/kfd/kfd. The kernel's numbers are the same in every container.
DeviceKind by_number(dev_t number) {
    Link link;
    link << "/sys/dev/char/" << major(number) << ":" << minor(number);
    if (!link.read()) return DeviceKind::kUnknown;
    return link.ends("/kfd/kfd") ? DeviceKind::kKfd : DeviceKind::kOther;
}

// This thread's, since /proc/self has no descriptors once the main thread has ended by itself.
bool by_name(int descriptor) {
    Link link;
    link << "/proc/thread-self/fd/" << static_cast<unsigned>(descriptor);
    return link.read() && link.is("/dev/kfd");
}

DeviceKind find_out(int descriptor) {
    // libc's fstat is a symbol of GLIBC_2.33. On both processors its structure is the kernel's.
    struct stat file {};
    const bool told = syscall(SYS_fstat, descriptor, &file) == 0;
    if (!told && errno == EBADF) return DeviceKind::kOther;
    const bool device = !told || S_ISCHR(file.st_mode);
    if (told && device) {
        const DeviceKind kind = by_number(file.st_rdev);
        if (kind != DeviceKind::kUnknown) return kind;
    }
    if (by_name(descriptor)) return DeviceKind::kKfd;
    return device ? DeviceKind::kUnknown : DeviceKind::kOther;
}

}  // namespace

DeviceKind device_kind(int descriptor) {
    const int saved_errno = errno;
    const DeviceKind kind = find_out(descriptor);
    errno = saved_errno;
    return kind;
}

}  // namespace ration::amd
