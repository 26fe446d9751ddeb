// How counts of CUs are told.
#pragma once

#include <string>

#include "shim/amd/topology.h"

namespace ration::amd {

// "24 of 104 CUs (23.1 %)"
std::string granted_text(unsigned cus, const Gpu& gpu);

// "2.64%": the smallest share with two decimals that asks for that many CUs, as in a policy.
std::string share_text(unsigned cus, const Gpu& gpu);

// "25 %", "33.334 %": as the percentage in a grant line.
std::string percent_text(double percent);

}  // namespace ration::amd
