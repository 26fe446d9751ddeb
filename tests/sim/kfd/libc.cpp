// The interposed functions of libc: what is not about a simulated file goes to the next definition.
// Built without fortification, which would define some of these names inline.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "tests/sim/kfd/kernel.h"
#include "tests/sim/kfd/paths.h"

#define SIM_EXPORT extern "C" __attribute__((visibility("default")))

namespace sim::kfd {
namespace {

// The next definition of `name`; looked up once.
#define SIM_NEXT(name)                                                                         \
    ([] {                                                                                      \
        static const auto next = reinterpret_cast<decltype(&::name)>(dlsym(RTLD_NEXT, #name)); \
        return next;                                                                           \
    }())

using Kind = Place::Kind;

// A descriptor if `place` is a device; -1 and errno if it can't be opened; -2 if it is none.
int open_device(const Place& place, int flags) {
    switch (place.kind) {
        case Kind::Kfd:
            return Kernel::get().devices.open_kfd(flags);
        case Kind::Render:
            return Kernel::get().devices.open_render(place.gpu, flags);
        case Kind::Missing:
            errno = ENOENT;
            return -1;
        default:
            return -2;
    }
}

// The path to look at instead. Devices look like some character device.
const char* substitute(const Place& place, const char* path) {
    switch (place.kind) {
        case Kind::File:
            return place.path.c_str();
        case Kind::Kfd:
        case Kind::Render:
            return "/dev/null";
        case Kind::Missing:
            return "/dev/dri/renderD-none";
        case Kind::Other:
            break;
    }
    return path;
}

// The number in /proc/self/fd/N or /proc/<own pid>/fd/N; -1 if it is no such path.
int descriptor_of(const char* text) {
    constexpr std::string_view kProc = "/proc/";
    std::string_view path(text == nullptr ? "" : text);
    if (!path.starts_with(kProc)) return -1;
    path.remove_prefix(kProc.size());
    const auto slash = path.find('/');
    const std::string_view who = path.substr(0, slash);
    constexpr std::string_view kFd = "/fd/";
    if (slash == std::string_view::npos || !path.substr(slash).starts_with(kFd)) return -1;
    if (who != "self" && who != "thread-self" && who != std::to_string(getpid())) return -1;
    path.remove_prefix(slash + kFd.size());
    int fd = -1;
    const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), fd);
    return error == std::errc{} && end == path.data() + path.size() ? fd : -1;
}

// What a link to a descriptor of a simulated device says; empty if it is none.
std::string device_path(int fd) {
    DeviceFile file{};
    if (fd < 0 || !device_of(fd, file)) return "";
    return file.is_kfd ? "/dev/kfd" : "/dev/dri/renderD" + std::to_string(128 + file.gpu);
}

ssize_t copy_link(const std::string& target, char* buffer, std::size_t size) {
    const std::size_t length = std::min(size, target.size());
    std::memcpy(buffer, target.data(), length);
    return static_cast<ssize_t>(length);
}

int answer(int result) {
    if (result >= 0) return result;
    errno = -result;
    return -1;
}

mode_t mode_argument(int flags, std::va_list arguments) {
    const bool has_mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    return has_mode ? va_arg(arguments, mode_t) : 0;
}

}  // namespace
}  // namespace sim::kfd

using sim::kfd::Place;
using sim::kfd::place_of;

#define SIM_MODE(flags)                                            \
    std::va_list arguments;                                        \
    va_start(arguments, flags);                                    \
    const mode_t mode = sim::kfd::mode_argument(flags, arguments); \
    va_end(arguments)

SIM_EXPORT int open(const char* path, int flags, ...) {
    SIM_MODE(flags);
    const Place place = place_of(path);
    const int device = sim::kfd::open_device(place, flags);
    return device != -2 ? device : SIM_NEXT(open)(sim::kfd::substitute(place, path), flags, mode);
}

SIM_EXPORT int open64(const char* path, int flags, ...) {
    SIM_MODE(flags);
    return open(path, flags | O_LARGEFILE, mode);
}

SIM_EXPORT int openat(int folder, const char* path, int flags, ...) {
    SIM_MODE(flags);
    const Place place = place_of(path);
    const int device = sim::kfd::open_device(place, flags);
    if (device != -2) return device;
    return SIM_NEXT(openat)(folder, sim::kfd::substitute(place, path), flags, mode);
}

SIM_EXPORT int openat64(int folder, const char* path, int flags, ...) {
    SIM_MODE(flags);
    return openat(folder, path, flags | O_LARGEFILE, mode);
}

// What fortified programs call.
SIM_EXPORT int __open_2(const char* path, int flags) { return open(path, flags); }
SIM_EXPORT int __open64_2(const char* path, int flags) { return open64(path, flags); }
SIM_EXPORT int __openat_2(int folder, const char* path, int flags) {
    return openat(folder, path, flags);
}
SIM_EXPORT int __openat64_2(int folder, const char* path, int flags) {
    return openat64(folder, path, flags);
}

SIM_EXPORT FILE* fopen(const char* path, const char* mode) {
    const Place place = place_of(path);
    return SIM_NEXT(fopen)(sim::kfd::substitute(place, path), mode);
}

SIM_EXPORT FILE* fopen64(const char* path, const char* mode) {
    const Place place = place_of(path);
    return SIM_NEXT(fopen64)(sim::kfd::substitute(place, path), mode);
}

SIM_EXPORT DIR* opendir(const char* path) {
    const Place place = place_of(path);
    return SIM_NEXT(opendir)(sim::kfd::substitute(place, path));
}

SIM_EXPORT int access(const char* path, int mode) noexcept {
    const Place place = place_of(path);
    return SIM_NEXT(access)(sim::kfd::substitute(place, path), mode);
}

SIM_EXPORT int faccessat(int folder, const char* path, int mode, int flags) noexcept {
    const Place place = place_of(path);
    return SIM_NEXT(faccessat)(folder, sim::kfd::substitute(place, path), mode, flags);
}

SIM_EXPORT int stat(const char* path, struct stat* status) noexcept {
    const Place place = place_of(path);
    return SIM_NEXT(stat)(sim::kfd::substitute(place, path), status);
}

SIM_EXPORT int stat64(const char* path, struct stat64* status) noexcept {
    const Place place = place_of(path);
    return SIM_NEXT(stat64)(sim::kfd::substitute(place, path), status);
}

SIM_EXPORT int lstat(const char* path, struct stat* status) noexcept {
    const Place place = place_of(path);
    return SIM_NEXT(lstat)(sim::kfd::substitute(place, path), status);
}

SIM_EXPORT int lstat64(const char* path, struct stat64* status) noexcept {
    const Place place = place_of(path);
    return SIM_NEXT(lstat64)(sim::kfd::substitute(place, path), status);
}

SIM_EXPORT int fstatat(int folder, const char* path, struct stat* status, int flags) noexcept {
    const Place place = place_of(path);
    return SIM_NEXT(fstatat)(folder, sim::kfd::substitute(place, path), status, flags);
}

SIM_EXPORT int fstatat64(int folder, const char* path, struct stat64* status, int flags) noexcept {
    const Place place = place_of(path);
    return SIM_NEXT(fstatat64)(folder, sim::kfd::substitute(place, path), status, flags);
}

SIM_EXPORT int statx(int folder, const char* path, int flags, unsigned mask,
                     struct statx* status) noexcept {
    const Place place = place_of(path);
    return SIM_NEXT(statx)(folder, sim::kfd::substitute(place, path), flags, mask, status);
}

SIM_EXPORT ssize_t readlinkat(int folder, const char* path, char* buffer, size_t size) noexcept {
    const std::string device = sim::kfd::device_path(sim::kfd::descriptor_of(path));
    if (!device.empty()) {
        // Where the link itself is not there, it is not there for a simulated device either.
        const ssize_t length = SIM_NEXT(readlinkat)(folder, path, buffer, size);
        return length < 0 ? length : sim::kfd::copy_link(device, buffer, size);
    }
    const Place place = place_of(path);
    return SIM_NEXT(readlinkat)(folder, sim::kfd::substitute(place, path), buffer, size);
}

SIM_EXPORT ssize_t readlink(const char* path, char* buffer, size_t size) noexcept {
    return readlinkat(AT_FDCWD, path, buffer, size);
}

SIM_EXPORT int ioctl(int fd, unsigned long request, ...) noexcept {
    std::va_list arguments;
    va_start(arguments, request);
    void* argument = va_arg(arguments, void*);
    va_end(arguments);
    sim::kfd::DeviceFile file{};
    // The type first: it costs nothing.
    if (_IOC_TYPE(request) != 'K' || !sim::kfd::device_of(fd, file) || !file.is_kfd) {
        return SIM_NEXT(ioctl)(fd, request, argument);
    }
    if (file.owner != getpid()) {
        errno = EBADF;
        return -1;
    }
    return sim::kfd::answer(sim::kfd::Kernel::get().ioctl(request, argument));
}
