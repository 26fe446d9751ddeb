#include "shim/cuda/green/division.h"

#include <algorithm>
#include <numeric>

namespace ration::cuda::green {
namespace {

// How many of these groups are in one that the driver schedules together.
unsigned unit_of(const Calls& calls, CUdevice device, const Layout& layout) {
    if (!layout.fine()) return 1;
    const auto grouped = read_layout(calls, device, layout.uuid, policy::SmGranularity::kGroup);
    const auto* const found = std::get_if<Layout>(&grouped);
    return found == nullptr ? 1 : std::max(1U, found->size() / layout.size());
}

std::optional<Refusal> fill(const Calls& calls, const GreenPlan& plan, CUdevice device,
                            Part& part) {
    auto layout = read_layout(calls, device, part.uuid, plan.granularity);
    if (const Refusal* refusal = refusal_of(layout)) return *refusal;
    part.layout = std::move(std::get<Layout>(layout));
    part.unit = unit_of(calls, device, part.layout);
    auto need = need_of(plan, static_cast<std::size_t>(device), part.layout);
    if (const Refusal* refusal = refusal_of(need)) return *refusal;
    part.need = std::move(std::get<Need>(need));
    return std::nullopt;
}

}  // namespace

unsigned Part::sms(unsigned total) const {
    if (need.whole) return total;
    return sms_of(layout, first_groups(need));
}

Or<std::vector<Part>> divide(const Calls& calls, const GreenPlan& plan,
                             const std::vector<std::string>& uuids) {
    std::vector<Part> parts;
    for (std::size_t i = 0; i < uuids.size(); ++i) {
        Part part;
        part.uuid = uuids[i];
        part.need.whole = true;
        if (!asks_for_all(wish_of(plan, i))) {
            if (auto refusal = fill(calls, plan, static_cast<CUdevice>(i), part)) {
                return *refusal;
            }
        }
        parts.push_back(std::move(part));
    }
    return parts;
}

std::vector<unsigned> first_groups(const Need& need) {
    if (!need.named.empty()) return need.named;
    std::vector<unsigned> groups(need.count);
    std::iota(groups.begin(), groups.end(), 0U);
    return groups;
}

}  // namespace ration::cuda::green
