#include "shim/host/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "shim/host/descriptor.h"

namespace ration::host {
namespace {

constexpr std::size_t kChunk = 16384;

Descriptor open_to_read(const char* path, int flags) {
    int number = -1;
    do {
        number = open(path, flags | O_RDONLY | O_CLOEXEC | O_NOCTTY);
    } while (number < 0 && errno == EINTR);
    return Descriptor(number);
}

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
    const Descriptor file = open_to_read(path, 0);
    if (!file) return std::nullopt;
    return read_all(file.get(), limit);
}

std::optional<File> read_regular_file(const char* path, std::size_t limit) {
    const Descriptor file = open_to_read(path, O_NONBLOCK);
    struct stat status {};
    if (!file || fstat(file.get(), &status) != 0) return std::nullopt;
    if (!S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : ENODEV;
        return std::nullopt;
    }
    auto content = read_all(file.get(), limit);
    if (content) {
        content->mode = status.st_mode;
        content->owner = status.st_uid;
        content->group = status.st_gid;
    }
    return content;
}

std::string_view base_name(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace ration::host
