#include "tools/ration/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "tools/ration/failure.h"

namespace ration::tool {
namespace {

using Clock = std::chrono::steady_clock;

// An unnamed file in memory.
class MemoryFile {
  public:
    MemoryFile() : descriptor_(memfd_create("ration", MFD_CLOEXEC)) {
        if (descriptor_ < 0) {
            throw Failure(kFailed, with_errno("cannot make a file in memory", errno));
        }
    }
    ~MemoryFile() { close(descriptor_); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;
    int get() const { return descriptor_; }

    void fill(const std::string& text) {
        if (pwrite(descriptor_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
            throw Failure(kFailed, with_errno("cannot fill a file in memory", errno));
        }
    }
    std::string text() const {
        std::string result;
        std::array<char, 4096> part{};
        for (ssize_t size = 0; (size = pread(descriptor_, part.data(), part.size(),
                                             static_cast<off_t>(result.size()))) > 0;) {
            result.append(part.data(), static_cast<std::size_t>(size));
        }
        return result;
    }

  private:
    int descriptor_;
};

[[noreturn]] void become(const ChildPlan& plan, int input, int output) {
    // A group of its own, so that a time-out reaches what it started.
    setpgid(0, 0);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    for (const std::string& name : plan.unset) {
        unsetenv(name.c_str());
    }
    for (const auto& [name, value] : plan.set) {
        setenv(name.c_str(), value.c_str(), 1);
    }
    std::vector<char*> arguments;
    for (const std::string& argument : plan.command) {
        arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    _exit(127);
}

int exit_code(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Waits for the child until the limit, then kills its group.
ChildResult await(pid_t child, std::chrono::milliseconds limit) {
    const auto end = Clock::now() + limit;
    ChildResult result;
    int status = 0;
    auto pause = std::chrono::microseconds(500);
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (Clock::now() >= end) {
            result.timed_out = true;
            kill(-child, SIGKILL);
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            break;
        }
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, std::chrono::microseconds(20000));
    }
    result.status = exit_code(status);
    return result;
}

}  // namespace

ChildResult run_child(const ChildPlan& plan) {
    MemoryFile input;
    const MemoryFile output;
    input.fill(plan.input);
    // Append mode for both streams, so that neither overwrites the other.
    fcntl(output.get(), F_SETFL, O_APPEND);
    const pid_t child = fork();
    if (child < 0) {
        throw Failure(kFailed, with_errno("cannot start " + plan.command[0], errno));
    }
    if (child == 0) {
        become(plan, input.get(), output.get());
    }
    ChildResult result = await(child, plan.limit);
    result.output = output.text();
    return result;
}

}  // namespace ration::tool
