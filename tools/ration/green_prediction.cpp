#include "tools/ration/green_prediction.h"

#include <fmt/core.h>

#include <algorithm>

namespace ration::tool {
namespace {

using cuda::green::GreenPlan;
using cuda::green::Layout;
using cuda::green::Need;
using cuda::green::Wish;

constexpr double kWhole = 100;

void add_once(std::vector<std::string>& notes, const std::string& note) {
    if (std::find(notes.begin(), notes.end(), note) == notes.end()) {
        notes.push_back(note);
    }
}

// "6 of 15 groups (48 SMs, 36.3 %)"
std::string part_text(std::size_t groups, const Layout& layout) {
    const auto sms = static_cast<unsigned>(groups) * layout.size();
    return fmt::format("{} of {} groups ({} SMs, {:.1f} %)", groups, layout.groups.size(), sms,
                       std::max(0.0, kWhole * sms / layout.total - 0.05));
}

struct Taken {
    state::GroupSet groups;
    std::string by;  // "groups 0-6 used by pid 4711 (...), ..."
};

// What this share cannot have at this moment.
Taken taken_from(const GreenPlan& plan, const std::vector<state::Holder>& holders) {
    Taken taken;
    for (const state::Holder& holder : holders) {
        if (!plan.exclusive && !holder.exclusive) {
            continue;
        }
        taken.groups |= holder.groups;
        if (holder.whole || holder.percentage) {
            taken.groups.set();
        }
        taken.by += (taken.by.empty() ? "" : ", ") + state::to_text(holder);
    }
    return taken;
}

bool fits(const Layout& layout, const Need& need, const Taken& taken, std::size_t available) {
    if (need.whole) {
        return available == layout.groups.size();
    }
    const bool free = std::none_of(need.named.begin(), need.named.end(),
                                   [&](unsigned group) { return taken.groups.test(group); });
    return free && (!need.named.empty() || need.count <= available);
}

void note_holders(const GreenPlan& plan, const Layout& layout, const Need& need,
                  const std::vector<state::Holder>& holders, std::vector<std::string>& notes) {
    const Taken taken = taken_from(plan, holders);
    std::size_t available = 0;
    for (std::size_t group = 0; group < layout.groups.size(); ++group) {
        available += taken.groups.test(group) ? 0 : 1;
    }
    if (fits(layout, need, taken, available)) {
        return;
    }
    const std::string then = plan.wait.count() == 0
                                 ? "is refused"
                                 : fmt::format("waits for up to {} s", plan.wait.count());
    notes.push_back(fmt::format("{} of {} are free, {}: a program that starts now {}",
                                part_text(available, layout), layout.uuid, taken.by, then));
}

// Where fewer SMs than are asked for make whole groups.
std::string rounding_text(const Wish& wish, const Need& need, const Layout& layout) {
    const double asked = wish.sm ? *wish.sm : wish.share.value_or(0) * layout.total / kWhole;
    const unsigned granted = static_cast<unsigned>(need.count) * layout.size();
    if (need.whole || !need.named.empty() || asked < granted + 0.05) {
        return "";
    }
    return fmt::format("{:.4g} SMs are asked for: rounded down to {} of {} groups of {}", asked,
                       need.count, layout.groups.size(), layout.size());
}

}  // namespace

cuda::Or<cuda::DeviceGrant> predict_groups(const GreenPlan& plan, std::size_t index,
                                           const cuda::DeviceGrant& device, const GroupFacts& facts,
                                           std::vector<std::string>& notes) {
    cuda::DeviceGrant grant = device;
    grant.granted = device.total;
    const Wish& wish = cuda::green::wish_of(plan, index);
    if (cuda::green::asks_for_all(wish)) {
        return grant;
    }
    const auto layout = facts.layout(device.uuid, plan.granularity);
    if (const cuda::Refusal* refusal = cuda::refusal_of(layout)) {
        return *refusal;
    }
    const Layout& groups = std::get<Layout>(layout);
    const auto rounded = cuda::green::need_of(plan, index, groups);
    if (const cuda::Refusal* refusal = cuda::refusal_of(rounded)) {
        return *refusal;
    }
    const Need& need = std::get<Need>(rounded);
    if (!need.whole) {
        grant.granted = need.named.empty() ? need.count * groups.size()
                                           : cuda::green::sms_of(groups, need.named);
        grant.groups = cuda::green::groups_text(need.named);
    }
    const std::string rounding = need.note.empty() ? rounding_text(wish, need, groups) : need.note;
    if (!rounding.empty()) {
        add_once(notes, rounding);
    }
    if (groups.fine()) {
        add_once(notes,
                 "granularity = \"fine\": the driver refuses thread-block clusters of 4 and more, "
                 "and NCCL's kernels fail");
    }
    if (plan.exclusive) {
        add_once(notes,
                 "exclusive holds among programs that ration confines: other MPS clients use "
                 "these SMs too");
    }
    note_holders(plan, groups, need, facts.holders(device.uuid), notes);
    return grant;
}

}  // namespace ration::tool
