#include "shim/preload/mapped_path.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <utility>

namespace ration::objects {
namespace {

// The lines of /proc/self/maps, by system call and in a buffer of its own. (A line that does not
// fit, which no path makes, ends them.)
class Maps {
  public:
    Maps() : descriptor_(open("/proc/self/maps", O_RDONLY | O_CLOEXEC)) {}
    ~Maps() {
        if (descriptor_ >= 0) close(descriptor_);
    }
    Maps(const Maps&) = delete;
    Maps& operator=(const Maps&) = delete;

    // The next one, without its newline; valid until the next call. Null at the end.
    const char* next() {
        for (;;) {
            if (char* const end = strchr(line_, '\n')) {
                *end = '\0';
                return std::exchange(line_, end + 1);
            }
            if (!read_on()) return nullptr;
        }
    }

  private:
    bool read_on() {
        size_t held = strlen(line_);
        memmove(text_, line_, held + 1);
        line_ = text_;
        const ssize_t got =
            descriptor_ < 0 ? 0 : read(descriptor_, text_ + held, sizeof text_ - 1 - held);
        if (got <= 0) return false;
        held += static_cast<size_t>(got);
        text_[held] = '\0';
        return true;
    }

    const int descriptor_;
    char text_[8192] = "";
    char* line_ = text_;
};

// Reads hexadecimal digits and moves `text` behind them.
uintptr_t number(const char*& text) {
    uintptr_t value = 0;
    for (;; ++text) {
        if (*text >= '0' && *text <= '9') {
            value = value * 16 + static_cast<uintptr_t>(*text - '0');
        } else if (*text >= 'a' && *text <= 'f') {
            value = value * 16 + 10 + static_cast<uintptr_t>(*text - 'a');
        } else {
            return value;
        }
    }
}

// The path in a line of /proc/self/maps ("BEGIN-END MODE OFFSET DEVICE INODE PATH", proc(5)) if
// `where` lies in that mapping, else null.
const char* path_of_mapping(const char* line, uintptr_t where) {
    const char* rest = line;
    const uintptr_t begin = number(rest);
    ++rest;
    const uintptr_t end = number(rest);
    return where >= begin && where < end ? strchr(rest, '/') : nullptr;
}

}  // namespace

bool mapped_path(const void* address, char* path, size_t capacity) {
    Maps maps;
    while (const char* const line = maps.next()) {
        const char* const name = path_of_mapping(line, reinterpret_cast<uintptr_t>(address));
        if (name == nullptr) continue;
        if (strlen(name) >= capacity) return false;
        strcpy(path, name);
        return true;
    }
    return false;
}

}  // namespace ration::objects
