// The daemon's loop.
#pragma once
#include "tests/sim/mps/pipe_files.h"

namespace sim::mps {

// Serves until `quit`, or until the pipe directory disappears, so that a test that removes its
// directory leaves no process behind.
void serve(const PipeFiles& files);

}  // namespace sim::mps
