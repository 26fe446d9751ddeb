// A device's lock file, byte for byte. It is empty: its locks say everything, so that nothing has
// to be repaired after a crash, and nothing that somebody writes into it misleads anyone.
//
//   0                    write: a process is changing what follows. All others wait.
//   1                    read: a process with a percentage of the device through MPS
//   2                    read: a process with the whole device, not exclusively
//   64 + k               group k, exclusively: write by one process, read by a scope's members
//   1024 + k             group k, not exclusively: read
//   2^16 + 512 i         process i (0..1023, any that is free): write. Then, for messages:
//                        + 1 whole, + 2 percentage, + 3 exclusive, + 8 + k group k
//   2^32 + h             read: h is the hash of the driver's version that numbered the groups held
//   2^33 + h             read: h is the hash of how the groups were split
//   2^61 + 512 h         read: a member of the scope whose key has the hash h
//                        + 1 its grant is exclusive, + 8 + k it has group k
#pragma once

#include <cstdint>
#include <string_view>

#include "shim/state/group_set.h"
#include "shim/state/locks.h"

namespace ration::state::bytes {

inline constexpr std::int64_t kTransaction = 0;
inline constexpr std::int64_t kPercentages = 1;
inline constexpr std::int64_t kWholes = 2;
inline constexpr std::int64_t kExclusive = 64;
inline constexpr std::int64_t kShared = 1024;
static_assert(kExclusive + kMostGroups <= kShared);

inline constexpr std::int64_t kProcesses = std::int64_t{1} << 16;
inline constexpr std::int64_t kStride = 512;
inline constexpr unsigned kMostProcesses = 1024;
inline constexpr std::int64_t kOfWhole = 1;
inline constexpr std::int64_t kOfPercentage = 2;
inline constexpr std::int64_t kOfExclusive = 3;
inline constexpr std::int64_t kOfGroups = 8;
static_assert(kShared + kMostGroups <= kProcesses && kOfGroups + kMostGroups <= kStride);

inline constexpr Span kDrivers{std::int64_t{1} << 32, std::int64_t{1} << 33};
inline constexpr Span kLayouts{std::int64_t{1} << 33, std::int64_t{1} << 34};
inline constexpr std::int64_t kScopes = std::int64_t{1} << 61;
inline constexpr std::int64_t kOfScopeExclusive = 1;
static_assert(kProcesses + kStride * kMostProcesses <= kDrivers.begin);

inline constexpr Span kEverything{0, INT64_MAX};

// FNV-1a with its bits mixed once more, so that any of them may be left out.
constexpr std::uint64_t hash(std::string_view text) {
    std::uint64_t value = 0xcbf29ce484222325;
    for (const char letter : text) {
        value = (value ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
    }
    value = (value ^ (value >> 32)) * 0xd6e8feb86659fd93;
    return value ^ (value >> 32);
}
constexpr std::int64_t within(Span region, std::string_view text) {
    const auto size = static_cast<std::uint64_t>(region.end - region.begin);
    return region.begin + static_cast<std::int64_t>(hash(text) % size);
}
constexpr std::int64_t of_scope(std::string_view key) {
    constexpr int kBits = 52;  // 2^61 + 2^52 * 512 is 2^62
    return kScopes + static_cast<std::int64_t>(hash(key) >> (64 - kBits)) * kStride;
}
constexpr Span one(std::int64_t byte) { return {byte, byte + 1}; }

}  // namespace ration::state::bytes
