// Which process wrote a record, and whether it still lives.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>

namespace ration::state {

struct Identity {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;    // /proc/PID/stat, field 22; 0: /proc could not be read
    std::uint64_t start_stack = 0;    // field 28: another after exec; 0 for who may not trace it
    std::uint64_t pid_namespace = 0;  // inode of /proc/self/ns/pid; 0: unknown
};

Identity this_process();

// True if /proc shows that very process, running the same program. For records whose lock is gone:
// some programs close every descriptor that they do not know, and POSIX locks go with it. False for
// a zombie, for one in another PID namespace (its pid says nothing here) and when /proc is hidden.
bool runs(const Identity& identity);

struct Stat {
    char state = 0;
    std::uint64_t start_ticks = 0;
    std::uint64_t start_stack = 0;
};
// Reads the text of /proc/PID/stat, in which the command may hold spaces and brackets.
bool parse_stat(std::string_view text, Stat& stat);

}  // namespace ration::state
