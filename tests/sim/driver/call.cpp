#include "tests/sim/driver/call.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>

#include "tests/sim/driver/driver.h"

namespace sim {
namespace {

// Opened for each line: the program may close every descriptor it doesn't know, or fork.
void append(const std::string& file, const char* text, std::size_t size) {
    const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) return;
    [[maybe_unused]] const ssize_t written = write(fd, text, size);
    close(fd);
}

void append_line(const std::string& file, const char* format, std::va_list arguments) {
    std::array<char, 1024> line{};
    const int head =
        std::snprintf(line.data(), line.size(), "%d %ld ", getpid(), syscall(SYS_gettid));
    const std::size_t room = line.size() - static_cast<std::size_t>(head) - 1;
    const int body = std::vsnprintf(line.data() + head, room, format, arguments);
    const auto size = static_cast<std::size_t>(head) +
                      std::min(static_cast<std::size_t>(std::max(body, 0)), room - 1);
    line[size] = '\n';
    append(file, line.data(), size + 1);
}

}  // namespace

Driver* Call::driver() {
    if (failed()) return nullptr;
    Driver* driver = Driver::get();
    if (driver == nullptr) result_ = CUDA_ERROR_NOT_INITIALIZED;
    return driver;
}

CUresult Call::done(CUresult result, const char* format, ...) {
    if (settings_.log_file.empty()) return result;
    std::array<char, 768> text{};
    std::va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text.data(), text.size(), format, arguments);
    va_end(arguments);
    log_line("%s %d%s%s", symbol_, result, text[0] != '\0' ? " " : "", text.data());
    return result;
}

void log_line(const char* format, ...) {
    const std::string& file = settings().log_file;
    if (file.empty()) return;
    std::va_list arguments;
    va_start(arguments, format);
    append_line(file, format, arguments);
    va_end(arguments);
}

}  // namespace sim
