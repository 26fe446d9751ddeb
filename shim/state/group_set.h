// Sets of a device's groups, and which of the free ones to take. Pure.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>

namespace ration::state {

// More than any part has: 66 groups of 2 SMs on an H100, 74 on a B200.
inline constexpr unsigned kMostGroups = 256;
using GroupSet = std::bitset<kMostGroups>;

// "0-3,7"; "none".
std::string to_text(const GroupSet& groups);

// How many processes use each group.
using Load = std::array<std::uint16_t, kMostGroups>;

// `count` of the `allowed` groups: the shortest contiguous run that has room, from its beginning,
// at a multiple of `unit` groups (what the hardware schedules together) where one does; else
// scattered, from the shortest runs first, so that long ones stay whole. Nothing if there are
// fewer or `count` is 0.
std::optional<GroupSet> best_fit(const GroupSet& allowed, unsigned count, unsigned unit);

// The same where groups may be shared: of those that the fewest use.
std::optional<GroupSet> least_used(const GroupSet& allowed, const Load& load, unsigned count,
                                   unsigned unit);

}  // namespace ration::state
