// SIM_KFD_LOG: a file that gets one line of JSON for each event. README.md lists the events.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/sim/kfd/cu_mask.h"

namespace sim::kfd {

using Fields = nlohmann::ordered_json;

// Whether there is one. bench counts what a mask costs: fields that nobody reads are not made.
bool logged();

// Appends {"pid": ..., "event": event, ...fields}. One write, so lines of several processes stay
// whole.
void log(const char* event, const Fields& fields);

// "0x" and 8 digits a word, the highest first.
std::string hex(const Mask& mask);

}  // namespace sim::kfd
