// Small text helpers shared by the simulated driver, NVML and MPS control.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace sim {

// "a,,b" gives three items; "" gives one empty item.
std::vector<std::string> split(std::string_view text, char separator);
// Without leading and trailing blanks and tabs.
std::string trim(std::string_view text);
bool starts_with(std::string_view text, std::string_view prefix);

}  // namespace sim
