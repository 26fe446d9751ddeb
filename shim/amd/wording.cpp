#include "shim/amd/wording.h"

#include <cmath>

#include "shim/policy/wording.h"

namespace ration::amd {

std::string granted_text(unsigned cus, const Gpu& gpu) {
    const auto tenths = static_cast<unsigned>(std::lround(1000.0 * cus / gpu.cus));
    return std::to_string(cus) + " of " + std::to_string(gpu.cus) + " CUs (" +
           std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " %)";
}

std::string share_text(unsigned cus, const Gpu& gpu) {
    return policy::decimal(std::ceil(10000.0 * cus / gpu.cus) / 100) + "%";
}

std::string percent_text(double percent) { return policy::decimal(percent) + " %"; }

}  // namespace ration::amd
