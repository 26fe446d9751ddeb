// How a subcommand gives up: one line for the user and an exit code.
#pragma once

#include <stdexcept>
#include <string>

namespace ration::tool {

// Exit codes, as the manual page documents them. The last three are those of env(1) and timeout(1).
enum Exit : int {
    kOk = 0,
    kFailed = 1,         // nothing found, or what was asked for could not be done
    kUsage = 2,          // wrong options, or a policy with mistakes
    kRefused = 125,      // run: ration itself can't start the program under its policy
    kNotRunnable = 126,  // run: found, but not executable
    kNotFound = 127,     // run: no such program
};

class Failure : public std::runtime_error {
  public:
    Failure(int code, const std::string& line) : std::runtime_error(line), code_(code) {}
    int code() const { return code_; }

  private:
    int code_;
};

// "text: strerror(error)".
std::string with_errno(const std::string& text, int error);

}  // namespace ration::tool
