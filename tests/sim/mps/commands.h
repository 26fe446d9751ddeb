// The commands that nvidia-cuda-mps-control reads from its standard input.
#pragma once
#include <string>

#include "tests/sim/mps/registry.h"

namespace sim::mps {

struct Outcome {
    std::string text;     // to print; each line ends with a newline
    bool quit = false;    // the daemon is to end
    int terminated = -1;  // descriptor of a client to drop
};

Outcome run_command(Registry& registry, const std::string& line);

}  // namespace sim::mps
