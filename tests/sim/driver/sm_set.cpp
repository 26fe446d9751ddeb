#include "tests/sim/driver/sm_set.h"

#include <algorithm>

namespace sim {
namespace {

// Measured on an H100 and an H200: 132 SMs have 15 co-scheduled groups of 8, not 16. Which SMs are
// left over isn't known; here they are the last.
int schedulable(SmGrain grain, int device) {
    constexpr int kFull = 132;
    constexpr int kGrouped = 120;
    return device == kFull && grain.step == 8 ? kGrouped : device;
}

// The smallest pieces that groups are made of.
std::vector<SmSet> pieces(const SmSet& sms, SmGrain grain, int device) {
    std::vector<SmSet> found;
    const int step = static_cast<int>(grain.step);
    for (int first = 0; first + step <= schedulable(grain, device); first += step) {
        const SmSet piece = sm_range(first, first + step);
        if ((piece & sms) == piece) found.push_back(piece);
    }
    return found;
}

}  // namespace

SmSet sm_range(int first, int last) {
    SmSet sms;
    for (int sm = first; sm < last; ++sm) sms.set(static_cast<std::size_t>(sm));
    return sms;
}

SmGrain sm_grain(int major, bool fine) {
    if (fine || major < 8) return {2, 2};
    return major == 8 ? SmGrain{4, 2} : SmGrain{8, 8};
}

SmSplit split_sms(const SmSet& sms, SmGrain grain, unsigned count, unsigned most, int device) {
    const unsigned wanted = std::max(count, grain.least);
    const std::size_t each = (wanted + grain.step - 1) / grain.step;  // pieces of a group
    const std::vector<SmSet> all = pieces(sms, grain, device);
    SmSplit split{{}, sms};
    for (std::size_t next = 0; next + each <= all.size() && split.groups.size() < most;
         next += each) {
        SmSet group;
        for (std::size_t i = 0; i < each; ++i) group |= all[next + i];
        split.groups.push_back(group);
        split.rest &= ~group;
    }
    return split;
}

}  // namespace sim
