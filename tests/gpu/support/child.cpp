#include "tests/gpu/support/child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>

extern char** environ;

namespace gpu {
namespace {

constexpr unsigned kLongest = 60;  // seconds a child may live

void set_environment(const Environment& environment) {
    std::vector<std::string> names;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (std::strncmp(*entry, "CUDA_", 5) == 0) {
            names.emplace_back(*entry, std::strcspn(*entry, "="));
        }
    }
    for (const std::string& name : names) unsetenv(name.c_str());
    setenv("CUDA_MPS_PIPE_DIRECTORY", "/nonexistent/no-daemon-here", 1);
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
}

void write_all(int fd, const std::string& text) {
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t written = write(fd, text.data() + done, text.size() - done);
        if (written <= 0) _exit(4);
        done += static_cast<std::size_t>(written);
    }
}

[[noreturn]] void child_main(const Environment& environment, const Work& work, int answer,
                             int hold) {
    alarm(kLongest);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    set_environment(environment);
    Cuda cuda;
    Report report;
    work(cuda, report);
    write_all(answer, report.packed());
    close(answer);
    char byte{};
    _exit(read(hold, &byte, 1) == 1 ? 0 : 5);
}

}  // namespace

std::string Report::text(const std::string& key) const {
    const auto found = values_.find(key);
    if (found != values_.end()) return found->second;
    ADD_FAILURE() << "the child said nothing of \"" << key << "\"";
    return "";
}

long long Report::number(const std::string& key) const { return std::atoll(text(key).c_str()); }

std::string Report::packed() const {
    std::string text;
    for (const auto& [key, value] : values_) text += key + "\n" + value + "\n";
    return text;
}

Report Report::unpack(const std::string& text) {
    Report report;
    std::istringstream stream(text);
    std::string key;
    std::string value;
    while (std::getline(stream, key) && std::getline(stream, value)) report.set(key, value);
    return report;
}

HeldChild::HeldChild(const Environment& environment, const Work& work) {
    int answer[2];
    int hold[2];
    if (pipe2(answer, O_CLOEXEC) != 0) std::abort();
    // A socket rather than a pipe: writing to a child that died must not end the test.
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, hold) != 0) std::abort();
    pid_ = fork();
    if (pid_ < 0) std::abort();
    if (pid_ == 0) {
        close(answer[0]);
        close(hold[1]);
        child_main(environment, work, answer[1], hold[0]);
    }
    close(answer[1]);
    close(hold[0]);
    answer_ = answer[0];
    hold_ = hold[1];
}

HeldChild::HeldChild(HeldChild&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      answer_(std::exchange(other.answer_, -1)),
      hold_(std::exchange(other.hold_, -1)) {}

Report HeldChild::report() {
    std::string text;
    char buffer[4096];
    for (ssize_t size = 0; (size = read(answer_, buffer, sizeof buffer)) > 0;) {
        text.append(buffer, static_cast<std::size_t>(size));
    }
    return Report::unpack(text);
}

void HeldChild::release() {
    if (pid_ < 0) return;
    // Not by closing it: children started later hold this end too.
    if (send(hold_, "", 1, MSG_NOSIGNAL) != 1) ADD_FAILURE() << "a child is gone";
    close(hold_);
    close(answer_);
    int status = 0;
    waitpid(pid_, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
        << "a child ended with wait status " << status;
    pid_ = -1;
}

void HeldChild::kill() {
    ::kill(pid_, SIGKILL);
    close(hold_);
    close(answer_);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

Report in_child(const Environment& environment, const Work& work) {
    HeldChild child(environment, work);
    return child.report();
}

}  // namespace gpu
