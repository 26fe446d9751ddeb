// A session under green contexts: how its homes come, and what becomes of their groups.
#include <utility>

#include "shim/cuda/context_error.h"
#include "shim/engine/log.h"
#include "shim/engine/session.h"

namespace ration::engine {

using cuda::Refusal;

CUresult Session::need_home(CUdevice device) {
    cuda::green::Residence* const here = green_ == nullptr ? nullptr : green_->residence(device);
    if (here == nullptr || stage_.load(std::memory_order_acquire) != Stage::kGranted) {
        return before_context();
    }
    if (!passes_through()) {
        GreenWait wait(longest_wait());
        const auto placed = place(device, wait);
        if (const CUresult code = placed ? *placed : await_place(device, wait)) return code;
    }
    return apart([&](bool nested) {
        if (nested || here->home() != nullptr) return CUDA_SUCCESS;
        if (const auto refusal = here->need_home()) {
            const CUresult code = no_home(device, *refusal);
            let_go();
            return code;
        }
        const std::lock_guard lock(mutex_);
        if (stage_ == Stage::kRefused) return code_.load();
        if (in_doubt_.exchange(false)) publish_grant();
        return CUDA_SUCCESS;
    });
}

CUresult Session::revive(CUdevice device) {
    cuda::green::Residence* const here = green_->residence(device);
    if (passes_through() || here == nullptr) return CUDA_SUCCESS;
    if (!here->alive() && here->home() == nullptr) return CUDA_SUCCESS;
    if (const CUresult code = need_home(device)) return code;
    CUcontext const home = here->home();
    return home == nullptr ? CUDA_SUCCESS : driver_.cuCtxSetCurrent(home);
}

CUresult Session::enter_home(CUcontext context) {
    if (green_ == nullptr || !green_->confines() || context == nullptr || passes_through()) {
        return CUDA_SUCCESS;
    }
    keep_groups();
    const auto device = cuda::context_device(driver_);
    cuda::green::Residence* const here = device ? green_->residence(*device) : nullptr;
    CUcontext const primary = here == nullptr ? nullptr : here->primary();
    if (here != nullptr && (primary == nullptr || primary == context)) {
        if (const CUresult code = need_home(*device)) return code;
    }
    CUcontext const home = green_->homes().real(context);
    if (home != context) return driver_.cuCtxSetCurrent(home);
    if (here == nullptr || here->primary() != context) green_->homes().know_other(context);
    return CUDA_SUCCESS;
}

// What the driver could not do it may do another time; anything else is final.
CUresult Session::no_home(CUdevice device, const Refusal& refusal) {
    const bool final = refusal.code == CUDA_ERROR_NOT_PERMITTED;
    const bool warns = final && ruling_.on_error == policy::OnError::kWarn;
    cuda::green::Residence* const here = green_->residence(device);
    // Before the lock, since the driver may be called under the residence's. Where it is not given
    // up another thread has seen to it.
    if (warns && here != nullptr && !here->give_up()) return CUDA_SUCCESS;
    const std::lock_guard lock(mutex_);
    if (stage_ != Stage::kGranted) return code_;
    if (warns && here == nullptr && is_checked(device)) return CUDA_SUCCESS;
    if (final) return refuse_device(device, refusal);
    const std::string line =
        cuda::explain_context_error(refusal.code, grant_).value_or(refusal.line);
    say_once(refusal.code, line);
    recorder_.publish(state::State::kRefused, line);
    in_doubt_ = true;
    return refusal.code;
}

void Session::dropped(const std::vector<GreenPlaces::Dropped>& found) {
    const std::lock_guard lock(mutex_);
    bool lost = false;
    for (const GreenPlaces::Dropped& one : found) {
        cuda::DeviceGrant& device = grant_.devices[static_cast<std::size_t>(one.device)];
        if (one.lost.empty()) {
            if (std::exchange(told_of_retaken_, true)) continue;
            log::write(log::Level::kInfo,
                       "note: this program closed ration's descriptors; the groups of " +
                           device.uuid + " were free still and are held again");
            continue;
        }
        lost = true;
        device.groups = (device.groups.empty() ? "all" : device.groups) + ", held no longer";
        grant_.notes.push_back(one.lost);
        log::write(log::Level::kWarn, one.lost +
                                          "; goes on beside it: have the program leave "
                                          "descriptors from 200 on open, and start it again");
    }
    if (lost) publish_grant();
}

}  // namespace ration::engine
