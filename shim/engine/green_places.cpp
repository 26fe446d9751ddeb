#include "shim/engine/green_places.h"

#include "shim/engine/log.h"
#include "shim/engine/node_locks.h"

namespace ration::engine {
namespace {

using cuda::green::Part;

state::Layout layout_of(const Part& part, const std::string& driver) {
    state::Layout layout;
    layout.driver = driver;
    layout.split_flags = part.layout.flags;
    for (const CUdevResource& group : part.layout.groups) {
        layout.sizes.push_back(group.sm.smCount);
    }
    return layout;
}

std::vector<unsigned> numbers_of(const state::GroupSet& set) {
    std::vector<unsigned> numbers;
    for (unsigned group = 0; group < set.size(); ++group) {
        if (set[group]) numbers.push_back(group);
    }
    return numbers;
}

}  // namespace

state::Ask GreenPlaces::ask(const Part& part) const {
    state::Ask ask;
    ask.exclusive = plan_.exclusive;
    if (part.need.whole) {
        ask.what = state::Ask::What::kWhole;
    } else if (!part.need.named.empty()) {
        ask.what = state::Ask::What::kNamed;
        for (const unsigned group : part.need.named) ask.named.set(group);
    } else {
        ask.count = part.need.count;
        ask.unit = part.unit;
    }
    ask.scope = scope_key(plan_.scope, plan_.slot, plan_.cgroup);
    return ask;
}

cuda::Or<std::vector<unsigned>> GreenPlaces::unaccounted(const Part& part,
                                                         const std::string& why) const {
    const bool promised = plan_.exclusive || plan_.scope != policy::Scope::kProcess;
    if (promised) {
        return cuda::Refusal{CUDA_ERROR_NOT_PERMITTED, (plan_.exclusive ? "exclusive" : "scope") +
                                                           std::string(" cannot be kept: ") + why};
    }
    log::write(log::Level::kInfo, "note: others cannot see which groups are taken: " + why);
    return first_groups(part.need);
}

std::optional<cuda::Or<std::vector<unsigned>>> GreenPlaces::take(CUdevice device, const Part& part,
                                                                 const std::string& driver,
                                                                 GreenWait& wait) {
    const std::lock_guard lock(mutex_);
    auto& groups = held_[static_cast<unsigned>(device)];
    std::string why;
    if (!groups) groups = state::Groups::open(lock_place(), part.uuid, why);
    if (!groups) return unaccounted(part, why);
    const state::Ask asked = ask(part);
    if (plan_.scope != policy::Scope::kProcess && asked.scope.empty()) {
        return unaccounted(part, "/proc/self/cgroup does not tell the cgroup of this process");
    }
    state::Taken taken = groups->attempt(layout_of(part, driver), asked);
    if (wait.goes_on(device, part.uuid, taken)) return std::nullopt;
    switch (taken.outcome) {
        case state::Taken::Outcome::kTaken:
            return part.need.whole ? std::vector<unsigned>{} : numbers_of(taken.groups);
        case state::Taken::Outcome::kMoment:  // not after a wait
        case state::Taken::Outcome::kUnusable:
            return unaccounted(part, taken.why);
        case state::Taken::Outcome::kRefused:
            return cuda::Refusal{CUDA_ERROR_NOT_PERMITTED, part.uuid + ": " + taken.why};
        case state::Taken::Outcome::kBusy:
            break;
    }
    return cuda::Refusal{
        CUDA_ERROR_NOT_PERMITTED,
        "not enough groups of " + part.uuid + " are left: " + taken.why +
            (plan_.wait.count() == 0 ? "; retry when one ends, or set wait in the policy"
                                     : "; waited " + std::to_string(plan_.wait.count()) + " s")};
}

bool GreenPlaces::release(CUdevice device) {
    const std::lock_guard lock(mutex_);
    const auto groups = std::move(held_[static_cast<unsigned>(device)]);
    return groups != nullptr;  // which gives back what it holds
}

std::vector<GreenPlaces::Dropped> GreenPlaces::keep() {
    using Standing = state::Groups::Standing;
    std::vector<Dropped> dropped;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return dropped;
    for (std::size_t device = 0; device < held_.size(); ++device) {
        if (!held_[device]) continue;
        std::string why;
        const Standing standing = held_[device]->standing(why);
        if (standing == Standing::kRetaken || standing == Standing::kLost) {
            dropped.push_back({static_cast<CUdevice>(device), std::move(why)});
        }
    }
    return dropped;
}

}  // namespace ration::engine
