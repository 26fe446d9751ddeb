#include "shim/policy/span.h"

#include <algorithm>
#include <set>

#include "shim/policy/wording.h"

namespace ration::policy {
namespace {

using Groups = std::vector<unsigned>;

std::string mistake(std::string_view text, std::string_view what, const char* allowed) {
    return quote(text) + ' ' + std::string(what) + "; allowed: " + allowed;
}

struct Range {
    unsigned first = 0, last = 0;
};

// "7" or "0-3".
std::optional<Range> parse_range(std::string_view text) {
    const std::size_t dash = std::min(text.find('-'), text.size());
    const auto first = parse_unsigned(text.substr(0, dash));
    const auto last = dash == text.size() ? first : parse_unsigned(text.substr(dash + 1));
    if (!first || !last || *last > kMaxGroup || *first > *last) return std::nullopt;
    return Range{*first, *last};
}

}  // namespace

Reading<Groups> parse_groups(std::string_view text) {
    std::set<unsigned> groups;
    for (std::string_view rest = text;;) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        const auto range = parse_range(rest.substr(0, comma));
        if (!range) return {std::nullopt, mistake(text, "is no list of groups", kGroupsAllowed)};
        for (unsigned group = range->first; group <= range->last; ++group) {
            if (!groups.insert(group).second) {
                return {std::nullopt,
                        mistake(text, "names group " + std::to_string(group) + " twice",
                                kGroupsAllowed)};
            }
        }
        if (comma == rest.size()) break;
        rest.remove_prefix(comma + 1);
    }
    return {Groups(groups.begin(), groups.end()), {}};
}

Reading<std::chrono::seconds> parse_wait(std::string_view text) {
    struct Unit {
        std::string_view name;
        unsigned seconds;
    };
    constexpr Unit kUnits[] = {{"s", 1}, {"min", 60}, {"h", 3600}};
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = parse_unsigned(text.substr(0, digits));
    if (!number) return {std::nullopt, mistake(text, "is not a time", kWaitAllowed)};
    for (const Unit& unit : kUnits) {
        if (text.substr(digits) != unit.name) continue;
        const std::chrono::seconds wait(std::int64_t{*number} * unit.seconds);
        if (wait <= kLongestWait) return {wait, {}};
        return {std::nullopt, mistake(text, "is more than 24 hours", kWaitAllowed)};
    }
    const bool none = digits == text.size();
    return {std::nullopt,
            mistake(text, none ? "has no unit" : "has an unknown unit", kWaitAllowed)};
}

std::string groups_text(const Groups& ascending) {
    std::string text;
    for (std::size_t i = 0; i < ascending.size();) {
        std::size_t end = i + 1;
        while (end < ascending.size() && ascending[end] == ascending[end - 1] + 1) ++end;
        text += (text.empty() ? "" : ",") + std::to_string(ascending[i]);
        if (end - i > 1) text += '-' + std::to_string(ascending[end - 1]);
        i = end;
    }
    return text;
}

}  // namespace ration::policy
