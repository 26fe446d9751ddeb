// What an exec of a command line would really start, and whether LD_PRELOAD reaches it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/ration/elf.h"

namespace ration::tool {

struct Program {
    std::string path;  // found on PATH as execvp(3) does, not resolved further
    // "#!" interpreters in the order in which they are started; for "/usr/bin/env NAME" also what
    // env will start. Empty if `path` is no script.
    std::vector<std::string> interpreters;
    // What /proc/PID/cmdline will hold: the command with what "#!" lines put in front of it.
    std::vector<std::string> arguments;
    std::optional<ElfFile> elf;  // of the last of them; nullopt if there is an obstacle before

    // One line why the preloaded library would not reach it; empty: it does.
    std::string obstacle;
    // The exit code that goes with the obstacle: kRefused, kNotRunnable or kNotFound.
    int code = 0;

    const std::string& loaded() const { return interpreters.empty() ? path : interpreters.back(); }
};

// Inspects a command; its first word is a path if it has a slash, else looked up on PATH. Never
// throws.
Program inspect_program(const std::vector<std::string>& command);

// Why the dynamic linker ignores LD_PRELOAD for this file (set-user-ID, set-group-ID or file
// capabilities that take effect for the calling user, ld.so(8) "secure-execution mode"), or empty.
std::string secure_execution(const std::string& path);

}  // namespace ration::tool
