// A helper process that cannot hang or outlive its purpose.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ration::tool {

struct ChildPlan {
    std::vector<std::string> command;  // [0] is a path, or a name to look up on PATH
    std::string input;                 // what it reads from stdin
    std::vector<std::pair<std::string, std::string>> set;
    std::vector<std::string> unset;
    std::chrono::milliseconds limit{10000};  // then it is killed
};

struct ChildResult {
    int status = 0;  // exit code; 128 + N for signal N; 127 if it could not be started
    bool timed_out = false;
    std::string output;  // stdout and stderr, in the order of writing
};

// Runs it to its end. The output goes through an unnamed file, not a pipe: a daemon that the child
// leaves behind keeps its descriptors, and must neither keep us waiting nor get SIGPIPE later.
ChildResult run_child(const ChildPlan& plan);

}  // namespace ration::tool
