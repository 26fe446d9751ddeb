// How a GPU is cut into pieces that may be given away.
#pragma once

#include <vector>

#include "shim/amd/cu_mask.h"
#include "shim/policy/policy.h"

namespace ration::amd {

// The least that can be given: the bits of one CU, or one pair of CUs, of every XCC.
using Unit = std::vector<unsigned>;

// Units that belong together. Evenly distributed: one unit of each shader engine, a "row"; work-
// groups are dealt evenly to the engines, so that a row that is begun and not filled makes the
// engines unequal and the whole slower. By engines: all units of one engine (of each XCC).
struct Block {
    std::vector<Unit> units;
    unsigned cus() const;
};

// In the order in which they are given away: the largest first, so that rows that lack engines, and
// engines that lack CUs, because CUs are switched off, come last.
std::vector<Block> cut(const Gpu& gpu, policy::Distribution distribution);

unsigned size_of(const std::vector<Unit>& units);

}  // namespace ration::amd
