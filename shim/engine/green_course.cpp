#include "shim/engine/green_course.h"

#include <algorithm>

#include "shim/engine/driver_table.h"

namespace ration::engine {
namespace {

using cuda::Or;
using cuda::Refusal;
using cuda::green::kMostDevices;
using cuda::green::Part;
using cuda::green::Residence;

bool in_table(CUdevice device) {
    return device >= 0 && static_cast<unsigned>(device) < kMostDevices;
}

std::string driver_number(const cuda::green::Calls& calls) {
    int version = 0;
    if (calls.cuDriverGetVersion != nullptr) calls.cuDriverGetVersion(&version);
    return std::to_string(version);
}

}  // namespace

std::atomic<GreenCourse*> GreenCourse::active_{nullptr};

GreenCourse::GreenCourse(const ration_front& front, const cuda::Plan& plan)
    : plan_(*plan.green),
      named_devices_(!plan.lasting.empty()),
      calls_(green_calls(front)),
      driver_(driver_number(calls_)),
      opening_{[this](CUdevice device) { return chosen(device); },
               [this](CUdevice device, CUcontext home, CUcontext primary) {
                   return open(device, home, primary);
               },
               [this](CUdevice device) { close(device); }} {}

Or<GreenCourse::Parts> GreenCourse::divide(cuda::Grant& grant) {
    std::vector<std::string> uuids;
    for (const cuda::DeviceGrant& device : grant.devices) uuids.push_back(device.uuid);
    if (uuids.size() > kMostDevices) uuids.resize(kMostDevices);
    auto divided = cuda::green::divide(calls_, plan_, uuids);
    if (const Refusal* refusal = cuda::refusal_of(divided)) return *refusal;
    const Parts& parts = std::get<Parts>(divided);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const Part& part = parts[i];
        cuda::DeviceGrant& device = grant.devices[i];
        if (device.total == 0) device.total = part.need.whole ? device.granted : part.layout.total;
        device.granted = part.sms(device.granted);
        if (!part.need.note.empty()) grant.notes.push_back(part.need.note);
    }
    return divided;
}

std::optional<Or<cuda::Grant>> GreenCourse::place_certain(const Parts& parts, cuda::Grant grant,
                                                          GreenWait& wait) {
    if (!certain(parts)) return grant;
    std::vector<std::size_t> order(parts.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    // Whoever takes groups of several devices asks for them in this order.
    std::sort(order.begin(), order.end(),
              [&](std::size_t one, std::size_t two) { return parts[one].uuid < parts[two].uuid; });
    for (const std::size_t i : order) {
        auto groups = places_.take(static_cast<CUdevice>(i), parts[i], driver_, wait);
        if (!groups) return std::nullopt;
        if (const Refusal* refusal = cuda::refusal_of(*groups)) return *refusal;
        chosen_[i] = std::move(std::get<std::vector<unsigned>>(*groups));
        grant.devices[i].groups = cuda::green::groups_text(chosen_[i]);
    }
    placed_ = ~std::uint64_t{0};
    return grant;
}

void GreenCourse::adopt(const Parts& parts) {
    parts_ = parts;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (parts[i].need.whole) {
            takes_whole_later_ = takes_whole_later_ || !certain(parts);
            continue;
        }
        residences_[i] =
            std::make_unique<Residence>(calls_, homes_, opening_, static_cast<CUdevice>(i));
        residences_[i]->confine(parts[i].layout, parts[i].sms(parts[i].layout.total));
        confines_ = true;
    }
    if (confines_) active_.store(this, std::memory_order_release);
}

Residence* GreenCourse::residence(CUdevice device) {
    if (!in_table(device)) return nullptr;
    Residence* const here = residences_[static_cast<unsigned>(device)].get();
    return here == nullptr || here->given_up() ? nullptr : here;
}

bool GreenCourse::is_placed(CUdevice device) const {
    const auto index = static_cast<std::size_t>(device);
    return !in_table(device) || index >= parts_.size() || (placed_ >> index & 1) != 0;
}

std::optional<Or<std::vector<unsigned>>> GreenCourse::place(CUdevice device, GreenWait& wait) {
    const auto index = static_cast<std::size_t>(device);
    auto groups = places_.take(device, parts_[index], driver_, wait);
    if (!groups || cuda::refusal_of(*groups) != nullptr) return groups;
    if (!is_placed(device)) {
        chosen_[index] = std::get<std::vector<unsigned>>(*groups);
        placed_ |= std::uint64_t{1} << index;
    }
    return groups;
}

std::vector<CUdevice> GreenCourse::release(std::uint64_t used) {
    std::vector<CUdevice> released;
    for (std::size_t i = 0; i < kMostDevices; ++i) {
        Residence* const here = residences_[i].get();
        const bool has_home = here != nullptr && !here->give_up() && !here->given_up();
        if (has_home || (used >> i & 1) != 0) continue;
        if (places_.release(static_cast<CUdevice>(i))) released.push_back(static_cast<CUdevice>(i));
    }
    return released;
}

// Asked by the device's first home.
Or<std::vector<unsigned>> GreenCourse::chosen(CUdevice device) const {
    if (is_placed(device)) return chosen_[static_cast<std::size_t>(device)];
    return Refusal{CUDA_ERROR_NOT_READY, "no groups of SMs have been chosen yet"};
}

bool GreenCourse::open(CUdevice device, CUcontext home, CUcontext primary) {
    cuda::stream::Domain* const domain = cuda::stream::open(device, home, primary);
    const std::lock_guard lock(mutex_);
    domains_[static_cast<unsigned>(device)] = domain;
    return domain != nullptr;
}

void GreenCourse::close(CUdevice device) {
    cuda::stream::Domain* domain = nullptr;
    {
        const std::lock_guard lock(mutex_);
        std::swap(domain, domains_[static_cast<unsigned>(device)]);
    }
    cuda::stream::close(domain);
}

void GreenCourse::own_green_made(CUgreenCtx green, CUdevice device) {
    Residence* const here = residence(device);
    if (here == nullptr) return;
    here->green_made();
    const std::lock_guard lock(mutex_);
    own_greens_.emplace_back(green, device);
}

void GreenCourse::own_green_ended(CUgreenCtx green, bool nested) {
    CUdevice device = -1;
    {
        const std::lock_guard lock(mutex_);
        const auto found = std::find_if(own_greens_.begin(), own_greens_.end(),
                                        [green](const auto& one) { return one.first == green; });
        if (found == own_greens_.end()) return;
        device = found->second;
        own_greens_.erase(found);
    }
    if (Residence* const here = residence(device)) here->green_ended(nested);
}

bool GreenCourse::take_back(CUdevice device) {
    if (!in_table(device)) return false;
    std::atomic<unsigned>& lent = lent_[static_cast<unsigned>(device)];
    unsigned now = lent.load();
    while (now != 0 && !lent.compare_exchange_weak(now, now - 1)) {
    }
    return now != 0;
}

}  // namespace ration::engine
