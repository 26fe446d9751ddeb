#include "shim/state/file_making.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

namespace ration::state {
namespace {

using host::Descriptor;

// Gives the finished file its name.
bool publish_name(int directory, int fd, const char* temporary, const char* name) {
    if (temporary != nullptr) {
        return linkat(directory, temporary, directory, name, 0) == 0 || errno == EEXIST;
    }
    const std::string self = "/proc/self/fd/" + std::to_string(fd);
    return linkat(AT_FDCWD, self.c_str(), directory, name, AT_SYMLINK_FOLLOW) == 0 ||
           errno == EEXIST;
}

}  // namespace

bool make_file(int directory, const char* name, mode_t mode, bool (*fill)(int fd)) {
    // The file appears complete or not at all, whoever is killed meanwhile; fchmod because the
    // umask of the program is not ours to change.
    const auto finish = [&](const Descriptor& file, const char* temporary) {
        return file && fchmod(file.get(), mode) == 0 && fill(file.get()) &&
               publish_name(directory, file.get(), temporary, name);
    };
    const Descriptor nameless(openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (finish(nameless, nullptr)) return true;
    // A file system without O_TMPFILE, or no /proc: a name of our own first.
    for (const int hopeless : {ENOSPC, EDQUOT, EFBIG, EROFS, EACCES}) {
        if (errno == hopeless) return false;
    }
    const std::string own = "new-" + std::to_string(geteuid()) + "-" + std::to_string(getpid());
    unlinkat(directory, own.c_str(), 0);
    const Descriptor named(
        openat(directory, own.c_str(), O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600));
    const bool made = finish(named, own.c_str());
    const int error = errno;
    unlinkat(directory, own.c_str(), 0);
    errno = error;
    return made;
}

Descriptor move_high(Descriptor low) {
    for (const int floor : {201, 101, 51, 21, 11, 3}) {
        Descriptor high(fcntl(low.get(), F_DUPFD_CLOEXEC, floor));
        if (high) return high;
    }
    // Never keep 0, 1 or 2: the program would write its output into the file.
    return low.get() > 2 ? std::move(low) : Descriptor();
}

}  // namespace ration::state
