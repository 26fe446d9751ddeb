// What the engine says to people. Never on stdout, nothing by default but what needs attention.
#pragma once

#include <string>
#include <string_view>

namespace ration::engine::log {

enum class Level { kOff, kError, kWarn, kInfo, kDebug };

// One line, without a newline. Errors and warnings go to stderr as "ration: TEXT". With RATION_LOG,
// a file name in which %p stands for the process id and %h for the host, every line up to
// RATION_LOG_LEVEL (off, error, warn, info, debug; info if unset) is also appended there, with
// time, process id and level; RATION_LOG=stderr sends the further lines to stderr. Keeps errno, and
// never raises SIGPIPE.
void write(Level level, std::string_view text);

// `pattern` with its %p, %h and %% replaced; any other % stays.
std::string expand(std::string_view pattern, int pid, std::string_view host);

}  // namespace ration::engine::log
