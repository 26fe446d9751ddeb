// Masks as people see them.
#pragma once

#include <string>
#include <vector>

#include "shim/amd/cu_mask.h"

namespace ration::amd {

// One line for each shader engine: "SE0 ####.... 4 of 8", a bar between its arrays. XCCs that look
// alike are drawn once: "XCC0-7 SE0 ##........ 2 of 10". An empty mask is none: all CUs.
std::vector<std::string> draw(const Mask& mask, const Gpu& gpu);

}  // namespace ration::amd
