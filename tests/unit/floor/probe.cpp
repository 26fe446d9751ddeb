// A library like the engine, linked for an old libc: uses what the engine uses of libstdc++.
#include <sys/stat.h>

#include <charconv>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

#define PROBE extern "C" __attribute__((visibility("default")))

namespace {

int depth_of_throw(int depth) {
    try {
        if (depth == 0) throw std::runtime_error("bottom");
        return depth_of_throw(depth - 1);
    } catch (const std::exception& error) {
        if (depth < 3) throw;
        return static_cast<int>(std::string(error.what()).size()) + depth;
    }
}

struct CountsUnwinding {
    int& count;
    ~CountsUnwinding() { count = std::uncaught_exceptions(); }
};

}  // namespace

// Thrown through frames, rethrown: 6 + 3.
PROBE int probe_throw() { return depth_of_throw(3); }

// An exception in the middle of another's unwinding; 1 while it unwinds, 0 afterwards.
PROBE int probe_uncaught() {
    int count = -1;
    try {
        const CountsUnwinding counts{count};
        throw 1;
    } catch (int) {
    }
    return count * 10 + std::uncaught_exceptions();
}

// An exception that crosses from one thread to another.
PROBE int probe_thread() {
    std::exception_ptr carried;
    std::thread([&] {
        try {
            depth_of_throw(1);
        } catch (...) {
            carried = std::current_exception();
        }
    }).join();
    try {
        std::rethrow_exception(carried);
    } catch (const std::runtime_error& error) {
        return std::string(error.what()) == "bottom" ? 1 : 0;
    }
}

PROBE int probe_numbers(const char* text) {
    int value = 0;
    std::from_chars(text, text + std::string(text).size(), value);
    std::istringstream stream(text);
    int streamed = 0;
    stream >> streamed;
    const auto shared = std::make_shared<std::map<int, int>>();
    (*shared)[value] = std::stoi(text);
    return (*shared)[value] == streamed ? static_cast<int>(std::strtol(text, nullptr, 10)) : -1;
}

// Device and inode by stat, lstat, fstat of the same file: 0 if they agree.
PROBE int probe_stat(const char* path, int fd) {
    struct stat by_path;
    struct stat by_link;
    struct stat by_fd;
    if (stat(path, &by_path) != 0 || lstat(path, &by_link) != 0 || fstat(fd, &by_fd) != 0) return 1;
    return by_path.st_ino == by_link.st_ino && by_path.st_ino == by_fd.st_ino &&
                   by_path.st_size == by_fd.st_size && stat("/no/such/file", &by_path) == -1
               ? 0
               : 2;
}

PROBE int probe_random() {
    std::random_device device;
    return device() != device() || device() != device() ? 0 : 1;
}
