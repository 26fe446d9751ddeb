#include <algorithm>

#include "shim/policy/amount.h"
#include "shim/policy/decide.h"

namespace ration::policy {

unsigned granted_units(double percent, unsigned total, Granularity granularity) {
    if (!(percent > 0)) return 0;
    const double exact = std::min(percent, 100.0) * total / 100 + kRoundingError;
    const unsigned unit = std::max(granularity.unit, 1U);
    const unsigned whole = static_cast<unsigned>(exact) / unit * unit;
    return std::min(std::max(whole, granularity.minimum), total);
}

PoolRounding round_pool(const std::vector<double>& percents, unsigned total,
                        Granularity granularity) {
    PoolRounding out;
    std::uint64_t sum = 0;
    for (const double percent : percents) {
        out.granted.push_back(granted_units(percent, total, granularity));
        sum += out.granted.back();
    }
    out.idle = sum < total ? total - static_cast<unsigned>(sum) : 0;
    out.excess = sum > total ? static_cast<unsigned>(sum - total) : 0;
    return out;
}

}  // namespace ration::policy
