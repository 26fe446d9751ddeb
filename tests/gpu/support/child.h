// Each question is put to the driver in a fresh process: it reads its environment once.
#pragma once
#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/gpu/support/cuda.h"

namespace gpu {

// Variables to set. Every CUDA_* variable of the test's own environment is removed first, and
// CUDA_MPS_PIPE_DIRECTORY, unless given, names a directory that doesn't exist: no daemon.
using Environment = std::vector<std::pair<std::string, std::string>>;

// What a child found out.
class Report {
  public:
    void set(const std::string& key, long long value) { values_[key] = std::to_string(value); }
    void set(const std::string& key, const std::string& value) { values_[key] = value; }
    // Fails the test if the child never said.
    long long operator[](const std::string& key) const { return number(key); }
    std::string text(const std::string& key) const;
    bool has(const std::string& key) const { return values_.count(key) != 0; }

    std::string packed() const;
    static Report unpack(const std::string& text);

  private:
    long long number(const std::string& key) const;

    std::map<std::string, std::string> values_;  // no newline in either
};

using Work = std::function<void(Cuda& cuda, Report& report)>;

// Runs `work` in a child process and hands back its report. A child that dies or takes longer than
// a minute fails the test.
Report in_child(const Environment& environment, const Work& work);

// A child that reports and then stays, with all that it has open, until release().
class HeldChild {
  public:
    HeldChild(const Environment& environment, const Work& work);
    HeldChild(HeldChild&& other) noexcept;
    HeldChild(const HeldChild&) = delete;
    ~HeldChild() { release(); }

    // Waits for it.
    Report report();
    // Ends the child and waits until it is gone; kill() does so with SIGKILL.
    void release();
    void kill();
    pid_t pid() const { return pid_; }

  private:
    pid_t pid_;
    int answer_;  // read end
    int hold_;    // write end: a byte lets the child go
};

}  // namespace gpu
