#include "shim/cuda/quota/units.h"

#include <algorithm>

namespace ration::cuda::quota {
namespace {

unsigned whole_units(std::uint64_t bytes) {
    const std::uint64_t units = bytes / state::kBytesOfUnit + (bytes % state::kBytesOfUnit != 0);
    return static_cast<unsigned>(std::min<std::uint64_t>(units, state::kMostUnits + 1));
}

}  // namespace

std::uint64_t Units::take(std::uint64_t least, std::uint64_t wanted) {
    std::string why;
    const unsigned taken = units_->take(whole_units(least), whole_units(wanted), why);
    if (!why.empty()) say_(why);
    return taken * state::kBytesOfUnit;
}

void Units::give(std::uint64_t bytes) { units_->give_back(whole_units(bytes)); }

std::uint64_t Units::left() {
    const auto usage = units_->usage();
    const unsigned taken = usage.own + usage.others;
    return (usage.quota - std::min(taken, usage.quota)) * state::kBytesOfUnit;
}

}  // namespace ration::cuda::quota
