#include "shim/policy/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ration::policy {
namespace {

constexpr std::size_t kChunk = 16384;

class Descriptor {
  public:
    Descriptor(const char* path, int flags) {
        do {
            number_ = open(path, flags | O_RDONLY | O_CLOEXEC | O_NOCTTY);
        } while (number_ < 0 && errno == EINTR);
    }
    ~Descriptor() {
        const int before = errno;
        if (number_ >= 0) close(number_);
        errno = before;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    int number() const { return number_; }

  private:
    int number_ = -1;
};

std::optional<File> read_all(int descriptor, std::size_t limit) {
    File file;
    while (file.text.size() < limit) {
        const std::size_t begin = file.text.size();
        const std::size_t want = std::min(kChunk, limit - begin);
        file.text.resize(begin + want);
        const ssize_t got = read(descriptor, file.text.data() + begin, want);
        file.text.resize(begin + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got == 0) break;
        if (got < 0 && errno != EINTR) return std::nullopt;
    }
    return file;
}

}  // namespace

std::optional<File> read_file(const char* path, std::size_t limit) {
    const Descriptor file(path, 0);
    if (file.number() < 0) return std::nullopt;
    return read_all(file.number(), limit);
}

std::optional<File> read_regular_file(const char* path, std::size_t limit) {
    const Descriptor file(path, O_NONBLOCK);
    if (file.number() < 0) return std::nullopt;
    struct stat status {};
    if (fstat(file.number(), &status) != 0) return std::nullopt;
    if (!S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : ENODEV;
        return std::nullopt;
    }
    auto content = read_all(file.number(), limit);
    if (content) {
        content->mode = status.st_mode;
        content->owner = status.st_uid;
    }
    return content;
}

}  // namespace ration::policy
