// From a number of CUs that is asked for to CUs.
#pragma once

#include <optional>
#include <vector>

#include "shim/amd/cu_mask.h"
#include "shim/policy/policy.h"

namespace ration::amd {

// Some CUs of one GPU.
struct Part {
    Mask mask;
    unsigned cus = 0;
};

// All that a mask can name.
Part whole(const Gpu& gpu);

// The fewest CUs that can be had: XCCs, times 2 where CUs come in pairs.
unsigned least_cus(const Gpu& gpu);

// CUs of a percentage, not rounded.
double cus_of(double percent, const Gpu& gpu);

// What one partition gets that asks for `cus`: the first rows, or whole engines, rounded to the
// nearest number of them, down at half; below one row or engine the nearest number of units, at
// least one. `cus` is at least least_cus().
Part lone(const Gpu& gpu, policy::Distribution distribution, double cus);

// The slots of a pool on one GPU.
struct Division {
    std::vector<Part> parts;  // by slot; empty mask: the slot is not on this GPU
    unsigned idle = 0;        // CUs that nobody gets
};

// A pool is rounded as a whole: each gets what it asks for, rounded down, and what is left goes, a
// row (or engine, or unit) each, to those that lack most of being rounded to the nearest, the first
// ones of several. So equal asks get the same or one piece less. Slots get disjoint ranges of whole
// rows or engines in their order; then those that ask for less than one, side by side in what is
// left, within one engine where one has room. `asks`: CUs by slot, 0 for a slot that is not on this
// GPU.
// `overlap`: asks may exceed the GPU; each is rounded alone and ranges start again at the first CU.
// nullopt: the asks exceed the GPU.
std::optional<Division> divide(const Gpu& gpu, policy::Distribution distribution,
                               const std::vector<double>& asks, bool overlap);

}  // namespace ration::amd
