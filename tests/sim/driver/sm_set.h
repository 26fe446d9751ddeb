// Sets of a device's SMs, and how the driver splits them. Pure functions; each rule's source is in
// tests/sim/README.md.
#pragma once
#include <bitset>
#include <optional>
#include <vector>

namespace sim {

constexpr std::size_t kMostSms = 256;
using SmSet = std::bitset<kMostSms>;

// The SMs from `first` to just before `last`.
SmSet sm_range(int first, int last);

// What a set can be split into.
struct SmGrain {
    unsigned least;  // SMs of a group
    unsigned step;   // groups have a multiple of it
};
// For compute capability `major`; `fine`: whatever becomes of co-scheduling.
SmGrain sm_grain(int major, bool fine);

struct SmSplit {
    std::vector<SmSet> groups;
    SmSet rest;
};
// Splits into as many groups of at least `count` SMs as there are, `most` at most. `device` is the
// number of SMs on the whole device.
SmSplit split_sms(const SmSet& sms, SmGrain grain, unsigned count, unsigned most, int device);

}  // namespace sim
