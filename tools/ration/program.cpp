#include "tools/ration/program.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "shim/host/file.h"
#include "tools/ration/env_line.h"
#include "tools/ration/failure.h"

namespace ration::tool {
namespace {

// A refusal while the chain of interpreters is followed.
struct Obstacle {
    int code;
    std::string text;
};

bool starts_with(const std::string& text, std::string_view beginning) {
    return text.compare(0, beginning.size(), beginning) == 0;
}

// 0 if execve(2) would take the file, else its errno.
int executable_error(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) {
        return errno;
    }
    if (!S_ISREG(status.st_mode)) {
        return EACCES;
    }
    return faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

std::vector<std::string> candidates(const std::string& name) {
    if (name.find('/') != std::string::npos) {
        return {name};
    }
    const char* variable = getenv("PATH");
    // What glibc's execvp takes without a PATH: confstr(_CS_PATH).
    const std::string_view path = variable == nullptr ? "/bin:/usr/bin" : variable;
    std::vector<std::string> result;
    for (std::size_t begin = 0; begin <= path.size();) {
        const auto end = std::min(path.find(':', begin), path.size());
        const std::string folder(path.substr(begin, end - begin));
        result.push_back(folder.empty() ? "./" + name : folder + "/" + name);
        begin = end + 1;
    }
    return result;
}

// As execvp(3): goes on where a file is missing or may not be executed, and remembers the latter.
std::string find_program(const std::string& name) {
    std::string denied;
    if (name.empty()) {
        throw Obstacle{kNotFound, "the program's name is empty"};
    }
    for (const std::string& candidate : candidates(name)) {
        const int error = executable_error(candidate);
        if (error == 0) {
            return candidate;
        }
        if (error == EACCES && denied.empty()) {
            denied = candidate;
        }
    }
    if (!denied.empty()) {
        throw Obstacle{kNotRunnable, denied + " is not executable"};
    }
    const bool searched = name.find('/') == std::string::npos;
    throw Obstacle{kNotFound, name + (searched ? ": no such program on PATH" : ": no such file")};
}

struct Shebang {
    std::string interpreter;
    std::string argument;  // all that follows, as one argument: the kernel does not split it
};

std::string trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return "";
    }
    return std::string(text.substr(first, text.find_last_not_of(" \t\r") - first + 1));
}

// nullopt if the file does not begin with "#!". The kernel looks at 256 bytes (BINPRM_BUF_SIZE).
std::optional<Shebang> read_shebang(const std::string& path) {
    std::array<char, 256> buffer{};
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return std::nullopt;  // executable but not readable: no script could run either
    }
    const ssize_t size = read(descriptor, buffer.data(), buffer.size());
    close(descriptor);
    const std::string_view text(buffer.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
    if (text.substr(0, 2) != "#!") {
        return std::nullopt;
    }
    const std::string line = trimmed(text.substr(2, text.find('\n') - 2));
    const auto space = line.find_first_of(" \t");
    Shebang result{line.substr(0, space), ""};
    if (space != std::string::npos) {
        result.argument = trimmed(std::string_view(line).substr(space));
    }
    return result;
}

// Puts what the kernel (and env) will start for a script in front; false if it is no script.
bool follow_script(Program& program) {
    const std::string script = program.loaded();
    const std::optional<Shebang> shebang = read_shebang(script);
    if (!shebang) {
        return false;
    }
    if (executable_error(shebang->interpreter) != 0) {
        throw Obstacle{kNotFound, script + ": its interpreter " + shebang->interpreter +
                                      " is missing or not executable"};
    }
    program.interpreters.push_back(shebang->interpreter);
    std::vector<std::string> front{shebang->interpreter};
    const std::vector<std::string> command = host::base_name(shebang->interpreter) == "env"
                                                 ? env_command(shebang->argument)
                                                 : std::vector<std::string>{};
    if (!command.empty()) {
        front = command;
        program.interpreters.push_back(find_program(command.front()));
    } else if (!shebang->argument.empty()) {
        front.push_back(shebang->argument);
    }
    program.arguments.front() = script;
    program.arguments.insert(program.arguments.begin(), front.begin(), front.end());
    return true;
}

// Why libration.so cannot be loaded into this file, or empty.
std::string misfit(const std::string& path, const ElfFile& elf) {
    if (!elf.executable) {
        return path + " is an object file, not a program: name the program that it is linked into";
    }
    if (elf.bits != 64) {
        return path + " is a " + std::to_string(elf.bits) +
               "-bit program; CUDA and libration.so are 64-bit only: build it for " +
               machine_name(own_machine());
    }
    if (elf.machine != own_machine()) {
        return path + " is for " + machine_name(elf.machine) + ", this libration.so for " +
               machine_name(own_machine());
    }
    const std::string loader(host::base_name(elf.interpreter));
    if (starts_with(loader, "ld-musl-")) {
        return path + " is linked to musl (" + elf.interpreter +
               "), which has no CUDA driver; libration.so needs glibc";
    }
    // The dynamic linker itself may be started as a program, and reads LD_PRELOAD.
    const bool is_loader = starts_with(elf.soname, "ld-linux") || starts_with(elf.soname, "ld64");
    if (elf.interpreter.empty() && !is_loader) {
        return path +
               " is statically linked, so LD_PRELOAD does not reach it; link it dynamically"
               " or confine it by the MPS daemon's own limits (ration mps start --help)";
    }
    if (!elf.interpreter.empty() && access(elf.interpreter.c_str(), X_OK) != 0) {
        return path + " needs the loader " + elf.interpreter + ", which is not there";
    }
    return "";
}

void examine(Program& program) {
    // The kernel follows four scripts (BINPRM_MAX_RECURSION); one more for the program itself.
    for (int level = 0; level <= 4; ++level) {
        if (follow_script(program)) {
            continue;
        }
        if (access(program.loaded().c_str(), R_OK) != 0) {
            return;  // may be executed but not read: the kernel and the loader will judge it
        }
        program.elf = read_elf(program.loaded());
        if (!program.elf) {
            // Text without "#!": execvp(3) hands it to the shell.
            program.arguments.front() = program.loaded();
            program.arguments.insert(program.arguments.begin(), "/bin/sh");
            program.interpreters.emplace_back("/bin/sh");
            program.elf = read_elf(program.loaded());
        }
        if (!program.elf) {
            throw Obstacle{kNotRunnable, program.loaded() + " is no program"};
        }
        std::string text = misfit(program.loaded(), *program.elf);
        if (text.empty()) {
            text = secure_execution(program.loaded());
        }
        if (!text.empty()) {
            throw Obstacle{kRefused, text};
        }
        return;
    }
    throw Obstacle{kNotRunnable, program.path + ": scripts interpret each other in a circle"};
}

}  // namespace

std::string secure_execution(const std::string& path) {
    struct stat status {};
    struct statvfs system {};
    if (stat(path.c_str(), &status) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
        (statvfs(path.c_str(), &system) == 0 && (system.f_flag & ST_NOSUID) != 0)) {
        return "";
    }
    // "at secure execution": fs/exec.c bprm_fill_uid, security/commoncap.c
    // cap_bprm_creds_from_file.
    const std::string tail =
        ", so the dynamic linker ignores LD_PRELOAD for it: start a copy of it without that";
    if ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid()) {
        return path + " is set-user-ID" + tail;
    }
    if ((status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0 &&
        status.st_gid != getgid()) {
        return path + " is set-group-ID" + tail;
    }
    if (getuid() != 0 && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0) {
        return path + " has file capabilities" + tail;
    }
    return "";
}

Program inspect_program(const std::vector<std::string>& command) {
    Program program;
    program.arguments = command;
    try {
        program.path = find_program(command.empty() ? "" : command.front());
        examine(program);
    } catch (const Obstacle& obstacle) {
        program.obstacle = obstacle.text;
        program.code = obstacle.code;
    } catch (const Failure& failure) {  // the file cannot be read or is damaged
        program.obstacle = failure.what();
        program.code = kNotRunnable;
    }
    return program;
}

}  // namespace ration::tool
