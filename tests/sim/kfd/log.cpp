#include "tests/sim/kfd/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace sim::kfd {

namespace {

// Null if there is none.
const char* log_file() {
    const char* const file = std::getenv("SIM_KFD_LOG");
    return file != nullptr && *file != '\0' ? file : nullptr;
}

}  // namespace

bool logged() { return log_file() != nullptr; }

void log(const char* event, const Fields& fields) {
    const char* const file = log_file();
    if (file == nullptr) return;
    Fields line{{"pid", getpid()}, {"event", event}};
    line.update(fields);
    const std::string text = line.dump() + "\n";
    // Opened for each line: the program may close every descriptor it doesn't know, or fork.
    const int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) return;
    [[maybe_unused]] const ssize_t written = write(fd, text.data(), text.size());
    close(fd);
}

std::string hex(const Mask& mask) {
    std::string text = "0x";
    for (auto word = mask.rbegin(); word != mask.rend(); ++word) {
        std::array<char, 12> digits{};
        std::snprintf(digits.data(), digits.size(), "%08x", *word);
        text += digits.data();
    }
    return text;
}

}  // namespace sim::kfd
