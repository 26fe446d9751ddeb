#include "shim/cuda/green/rounding.h"

#include <algorithm>
#include <cmath>

#include "shim/cuda/grant.h"

namespace ration::cuda::green {
namespace {

constexpr double kWhole = 100;
// So that a third, or a percentage that was computed, does not lose an SM to the last bit.
constexpr double kTolerance = 1e-6;

Refusal refuse(std::string line) { return {CUDA_ERROR_NOT_PERMITTED, std::move(line)}; }

std::string sms_text(unsigned sms) { return std::to_string(sms) + " SMs"; }

std::string share_of(unsigned sms, const Layout& layout) {
    const double tenths = std::ceil(10 * kWhole * sms / layout.total - kTolerance);
    return sms_text(sms) + " (" + percent_text(tenths / 10) + ")";
}

std::string what_there_is(const Layout& layout) {
    std::string text = layout.uuid + " has " + std::to_string(layout.groups.size()) +
                       " groups of " + sms_text(layout.size());
    if (layout.rest != 0) text += ", and " + sms_text(layout.rest) + " in none";
    return text;
}

Refusal below_one_group(const std::string& asked, const Layout& layout) {
    std::string line = asked + " is below the smallest part of " + layout.uuid + ", one group of " +
                       share_of(layout.size(), layout) + ": ask for that";
    if (!layout.fine()) line += ", or set granularity = \"fine\" for smaller groups";
    return refuse(std::move(line));
}

Or<Need> fit(double sms, const std::string& asked, const Layout& layout) {
    Need need;
    const auto most = static_cast<unsigned>(layout.groups.size());
    const unsigned size = layout.size();
    const auto fitting = static_cast<unsigned>(sms + kTolerance) / size;
    if (fitting == 0) return below_one_group(asked, layout);
    need.count = std::min(fitting, most);
    const unsigned granted = need.count * size;
    if (fitting > most) {
        need.note = asked + " comes to " + std::to_string(need.count) + " groups, " +
                    sms_text(granted) + ": " + what_there_is(layout);
    }
    return need;
}

Or<Need> named(const Wish& wish, const Layout& layout) {
    for (const unsigned group : wish.groups) {
        if (group < layout.groups.size()) continue;
        return refuse("sm_groups = \"" + groups_text(wish.groups) + "\": there is no group " +
                      std::to_string(group) + ", " + what_there_is(layout) +
                      ": name groups from 0 to " + std::to_string(layout.groups.size() - 1));
    }
    Need need;
    need.count = static_cast<unsigned>(wish.groups.size());
    need.named = wish.groups;
    need.whole = sms_of(layout, need.named) == layout.total;
    return need;
}

}  // namespace

bool asks_for_all(const Wish& wish) {
    return wish.groups.empty() && !wish.sm && wish.share.value_or(kWhole) >= kWhole;
}

Or<Need> round_to_groups(const Wish& wish, const Layout& layout) {
    if (!wish.groups.empty()) return named(wish, layout);
    if (wish.sm) {
        const std::string asked = "sm = " + std::to_string(*wish.sm);
        if (*wish.sm > layout.total) {
            return refuse(asked + ": " + layout.uuid + " has " + sms_text(layout.total) +
                          ": ask for " + std::to_string(layout.total) + " at most");
        }
        if (*wish.sm < layout.total) return fit(*wish.sm, asked, layout);
    }
    if (wish.share && *wish.share < kWhole) {
        const double sms = *wish.share * layout.total / kWhole;
        return fit(sms, "a share of " + percent_text(*wish.share), layout);
    }
    return Need{true, 0, {}, ""};
}

std::string groups_text(const std::vector<unsigned>& groups) {
    std::string text;
    for (std::size_t first = 0; first < groups.size();) {
        std::size_t last = first;
        while (last + 1 < groups.size() && groups[last + 1] == groups[last] + 1) ++last;
        text += (first == 0 ? "" : ",") + std::to_string(groups[first]);
        if (last != first) text += "-" + std::to_string(groups[last]);
        first = last + 1;
    }
    return text;
}

unsigned sms_of(const Layout& layout, const std::vector<unsigned>& groups) {
    unsigned sms = 0;
    for (const unsigned group : groups) sms += layout.groups[group].sm.smCount;
    return sms;
}

}  // namespace ration::cuda::green
