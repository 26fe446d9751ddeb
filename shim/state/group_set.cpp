#include "shim/state/group_set.h"

#include <algorithm>
#include <vector>

namespace ration::state {
namespace {

struct Run {
    unsigned begin;
    unsigned end;
    unsigned length() const { return end - begin; }
};

std::vector<Run> runs_of(const GroupSet& groups) {
    std::vector<Run> runs;
    for (unsigned group = 0; group < kMostGroups; ++group) {
        if (!groups[group]) continue;
        const unsigned begin = group;
        while (group < kMostGroups && groups[group]) ++group;
        runs.push_back({begin, group});
    }
    return runs;
}

unsigned round_up(unsigned value, unsigned unit) { return (value + unit - 1) / unit * unit; }

GroupSet from(unsigned begin, unsigned count) {
    GroupSet groups;
    for (unsigned group = begin; group < begin + count; ++group) groups[group] = true;
    return groups;
}

// In the first of `runs` that has `count` groups from a multiple of `unit` on.
std::optional<GroupSet> contiguous(const std::vector<Run>& runs, unsigned count, unsigned unit) {
    for (const Run& run : runs) {
        const unsigned begin = round_up(run.begin, unit);
        if (begin < run.end && run.end - begin >= count) return from(begin, count);
    }
    return std::nullopt;
}

}  // namespace

std::string to_text(const GroupSet& groups) {
    std::string text;
    for (const Run& run : runs_of(groups)) {
        if (!text.empty()) text += ",";
        text += std::to_string(run.begin);
        if (run.length() > 1) text += "-" + std::to_string(run.end - 1);
    }
    return text.empty() ? "none" : text;
}

std::optional<GroupSet> best_fit(const GroupSet& allowed, unsigned count, unsigned unit) {
    if (count == 0 || allowed.count() < count) return std::nullopt;
    auto runs = runs_of(allowed);
    std::stable_sort(runs.begin(), runs.end(),
                     [](const Run& a, const Run& b) { return a.length() < b.length(); });
    if (unit > 1) {
        if (const auto aligned = contiguous(runs, count, unit)) return aligned;
    }
    if (const auto anywhere = contiguous(runs, count, 1)) return anywhere;
    GroupSet scattered;
    for (const Run& run : runs) {
        const unsigned part = std::min(count, run.length());
        scattered |= from(run.begin, part);
        count -= part;
    }
    return scattered;
}

std::optional<GroupSet> least_used(const GroupSet& allowed, const Load& load, unsigned count,
                                   unsigned unit) {
    if (count == 0 || allowed.count() < count) return std::nullopt;
    GroupSet sure;  // less used than those among which there is a choice
    GroupSet choice;
    for (unsigned most = 0; choice.count() < count; ++most) {
        sure = choice;
        for (unsigned group = 0; group < kMostGroups; ++group) {
            if (allowed[group] && load[group] == most) choice[group] = true;
        }
    }
    if (sure.none()) return best_fit(choice, count, unit);
    for (unsigned begin = 0; begin + count <= kMostGroups; ++begin) {
        const GroupSet together = from(begin, count);
        if ((sure & ~together).none() && (together & ~choice).none()) return together;
    }
    const auto lacking = count - static_cast<unsigned>(sure.count());
    return sure | *best_fit(choice & ~sure, lacking, unit);
}

}  // namespace ration::state
