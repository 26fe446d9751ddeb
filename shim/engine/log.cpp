#include "shim/engine/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "shim/engine/errno_keeper.h"
#include "shim/state/quiet_signals.h"

namespace ration::engine::log {
namespace {

constexpr std::string_view kNames[] = {"off", "error", "warn", "info", "debug"};

// Read afresh for each line: lines are few, and what a worker sets on itself counts.
std::string destination() {
    const char* const value = getenv("RATION_LOG");
    return value == nullptr ? "" : value;
}

Level threshold() {
    if (const char* const value = getenv("RATION_LOG_LEVEL")) {
        for (int level = 0; level < 5; ++level) {
            if (kNames[level] == value) return static_cast<Level>(level);
        }
    }
    return destination().empty() ? Level::kWarn : Level::kInfo;
}

// A line that a full disk cuts short stays short: there is nobody to tell.
void put(int descriptor, const std::string& line) {
    const state::QuietSignals guard;
    ssize_t written = 0;
    do {
        written = ::write(descriptor, line.data(), line.size());
    } while (written < 0 && errno == EINTR);
}

void to_stderr(std::string_view text) { put(STDERR_FILENO, "ration: " + std::string(text) + "\n"); }

std::string stamp() {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    tm parts{};
    gmtime_r(&now.tv_sec, &parts);
    char text[64];
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", parts.tm_year + 1900,
             parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
             now.tv_nsec / 1000000);
    return text;
}

// Opened for each line, so that no descriptor is kept which the program might close, or a forked
// child inherit.
void to_file(std::string_view pattern, Level level, std::string_view text) {
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    const std::string file = expand(pattern, getpid(), host);
    const int descriptor =
        open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
    if (descriptor < 0) {
        static std::atomic<bool> said{false};
        const std::string why = strerror(errno);
        if (!said.exchange(true)) {
            to_stderr("RATION_LOG: cannot open " + file + ": " + why +
                      "; name a file in a folder that this user may write to");
        }
        return;
    }
    put(descriptor, stamp() + " " + std::to_string(getpid()) + " " +
                        std::string(kNames[static_cast<int>(level)]) + " " + std::string(text) +
                        "\n");
    close(descriptor);
}

}  // namespace

std::string expand(std::string_view pattern, int pid, std::string_view host) {
    std::string file;
    for (size_t i = 0; i < pattern.size(); ++i) {
        const char next = pattern[i] == '%' && i + 1 < pattern.size() ? pattern[i + 1] : '\0';
        if (next == 'p') {
            file += std::to_string(pid);
        } else if (next == 'h') {
            file += host;
        } else if (next == '%') {
            file += '%';
        } else {
            file += pattern[i];
            continue;
        }
        ++i;
    }
    return file;
}

void write(Level level, std::string_view text) {
    const ErrnoKeeper keeper;
    if (level == Level::kOff || level > threshold()) return;
    const std::string where = destination();
    const bool to_terminal = where == "stderr";
    if (level <= Level::kWarn || to_terminal) to_stderr(text);
    if (!where.empty() && !to_terminal) to_file(where, level, text);
}

}  // namespace ration::engine::log
