// Temporary folders and child processes for the tests of shim/state.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <utility>

#include "shim/host/descriptor.h"
#include "shim/state/record.h"
#include "tests/unit/temporary_folder.h"

namespace ration::state {

using host::Descriptor;

// One in which other users' children can work too.
class TempFolder : public TemporaryFolder {
  public:
    TempFolder() { chmod(path().c_str(), 01777); }
};

// A forked child. Its body says ready() once and wait()s to be told to go on; it ends with _exit.
class Child {
  public:
    class Side {
      public:
        void ready() const { (void)!write(out_, "r", 1); }
        void wait() const {
            char byte;
            (void)!read(in_, &byte, 1);
        }
        int input() const { return in_; }
        int output() const { return out_; }

      private:
        friend class Child;
        int in_ = -1;
        int out_ = -1;
    };

    explicit Child(const std::function<int(const Side&)>& body) {
        int down[2];
        int up[2];
        if (pipe(down) != 0 || pipe(up) != 0) std::abort();
        pid_ = fork();
        if (pid_ == 0) {
            // Ours, and those of the children before us: their end must be the only one.
            for (const int fd : parent_ends()) close(fd);
            close(down[1]);
            close(up[0]);
            Side side;
            side.in_ = down[0];
            side.out_ = up[1];
            _exit(body(side));
        }
        close(down[0]);
        close(up[1]);
        to_ = down[1];
        from_ = up[0];
        parent_ends().insert({to_, from_});
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        go();
        if (pid_ > 0) join();
        parent_ends().erase(from_);
        close(from_);
    }

    pid_t pid() const { return pid_; }
    // False if it died before it was ready.
    bool await_ready() {
        char byte;
        return read(from_, &byte, 1) == 1;
    }
    // Returns when the child is a zombie, not reaped yet.
    void await_end() const {
        siginfo_t info;
        waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
    }
    // Ends one wait(); go() ends it and all later ones.
    void step() const { (void)!write(to_, "g", 1); }
    void go() {
        parent_ends().erase(to_);
        if (to_ >= 0) close(std::exchange(to_, -1));
    }
    void kill(int signal) const { ::kill(pid_, signal); }
    int join() {
        int status = 0;
        waitpid(std::exchange(pid_, -1), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    // Runs the body to its end.
    static int run(const std::function<int()>& body) {
        return Child([&](const Side&) { return body(); }).join();
    }

  private:
    static std::set<int>& parent_ends() {
        static std::set<int> ends;
        return ends;
    }

    pid_t pid_ = -1;
    int to_ = -1;
    int from_ = -1;
};

inline Record record_of(std::string command, State state = State::kGranted) {
    Record record;
    record.command = std::move(command);
    record.state = state;
    return record;
}

}  // namespace ration::state
