// Numbers and times as a policy writes them. Pure functions.
#pragma once

#include <chrono>
#include <string_view>
#include <vector>

#include "shim/policy/amount.h"

namespace ration::policy {

inline constexpr const char* kGroupsAllowed =
    R"(numbers of groups of SMs, 0 to 1023, such as "0-3,7")";
inline constexpr const char* kWaitAllowed =
    R"(a time of at most 24 hours, such as "30s", "5min" or "2h")";

inline constexpr unsigned kMaxGroup = 1023;
inline constexpr std::chrono::hours kLongestWait{24};

// "0-3,7": ascending in the result, whatever the order of the text.
Reading<std::vector<unsigned>> parse_groups(std::string_view text);

// "30s", "5min", "2h".
Reading<std::chrono::seconds> parse_wait(std::string_view text);

// "0-3,7" of {0, 1, 2, 3, 7}.
std::string groups_text(const std::vector<unsigned>& ascending);

}  // namespace ration::policy
