#include "shim/state/process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>

#include "shim/host/descriptor.h"

namespace ration::state {
namespace {

using host::Descriptor;

bool read_stat(const char* path, Stat& stat) {
    const Descriptor file(open(path, O_RDONLY | O_CLOEXEC));
    if (!file) return false;
    char text[1024];
    const ssize_t size = read(file.get(), text, sizeof text);
    return size > 0 && parse_stat({text, static_cast<std::size_t>(size)}, stat);
}

std::uint64_t own_pid_namespace() {
    struct stat info;
    return stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
}

std::uint64_t number(std::string_view word) {
    std::uint64_t value = 0;
    std::from_chars(word.data(), word.data() + word.size(), value);
    return value;
}

}  // namespace

bool parse_stat(std::string_view text, Stat& stat) {
    const auto bracket = text.rfind(')');
    if (bracket == std::string_view::npos || bracket + 2 >= text.size()) return false;
    text.remove_prefix(bracket + 2);
    for (int field = 3; !text.empty(); ++field) {
        const auto word = text.substr(0, text.find(' '));
        if (field == 3) stat.state = word.empty() ? '\0' : word[0];
        if (field == 22) stat.start_ticks = number(word);
        if (field == 28) {
            stat.start_stack = number(word);
            return stat.state != 0 && stat.start_ticks != 0;
        }
        text.remove_prefix(word.size() < text.size() ? word.size() + 1 : text.size());
    }
    return false;
}

Identity this_process() {
    Identity identity;
    identity.pid = getpid();
    identity.pid_namespace = own_pid_namespace();
    Stat stat;
    if (read_stat("/proc/self/stat", stat)) {
        identity.start_ticks = stat.start_ticks;
        identity.start_stack = stat.start_stack;
    }
    return identity;
}

bool runs(const Identity& identity) {
    if (identity.pid <= 0 || identity.start_ticks == 0) return false;
    if (identity.pid_namespace == 0 || identity.pid_namespace != own_pid_namespace()) return false;
    char path[32];
    std::snprintf(path, sizeof path, "/proc/%d/stat", static_cast<int>(identity.pid));
    Stat stat;
    if (!read_stat(path, stat)) return false;
    if (stat.state == 'Z' || stat.state == 'X' || stat.start_ticks != identity.start_ticks) {
        return false;
    }
    // The kernel shows 0 or 1 to a reader without the right to trace (fs/proc/array.c,
    // do_task_stat).
    const bool comparable = stat.start_stack > 1 && identity.start_stack > 1;
    return !comparable || stat.start_stack == identity.start_stack;
}

}  // namespace ration::state
