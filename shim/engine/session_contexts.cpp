// A session's contexts: the first on each device is compared with what was granted.
#include <bit>
#include <utility>

#include "shim/cuda/context_error.h"
#include "shim/engine/session.h"

namespace ration::engine {

using cuda::Refusal;
using host::HeldSignals;

// A device past the bits that we have is never checked off, and always looked at.
std::uint64_t Session::bit_of(CUdevice device) {
    constexpr CUdevice kBits = 64;
    return device >= 0 && device < kBits ? std::uint64_t{1} << device : 0;
}

CUresult Session::after_context(CUresult result, std::optional<HeldSignals>& held,
                                std::optional<GreenWait>& wait) {
    if (stage_.load(std::memory_order_acquire) != Stage::kGranted || all_checked()) return result;
    if (result != CUDA_SUCCESS) {
        context_failed(result);
        return result;
    }
    const auto device = cuda::context_device(driver_);
    if (!device || (is_checked(*device) && !in_doubt_)) return result;
    held.emplace(HeldSignals::Which::kAll);
    if (!is_checked(*device)) {
        GreenWait one(longest_wait());
        const auto code = place(*device, one);
        if (!code) {
            wait = std::move(one);
            return CUDA_ERROR_NOT_READY;
        }
        if (*code != CUDA_SUCCESS) return *code;
    }
    const std::lock_guard lock(mutex_);
    if (stage_ == Stage::kRefused) return code_;
    if (stage_ != Stage::kGranted) return result;
    if (!is_checked(*device)) {
        const cuda::ContextCheck check = cuda::check_context(driver_, grant_, *device);
        if (!check.done) return result;
        if (check.refusal) return refuse_device(*device, *check.refusal);
        if (const auto refusal = mark(*device)) return refuse_device(*device, *refusal);
        checked_ |= bit_of(*device);
    }
    if (in_doubt_.exchange(false)) publish_grant();
    if (all_checked()) leave_contexts();
    return result;
}

// A whole device is not marked: it is what every process has that no policy speaks of.
std::optional<Refusal> Session::mark(CUdevice device) {
    constexpr double kWhole = 100;
    const bool known = device >= 0 && static_cast<std::size_t>(device) < grant_.devices.size();
    if (!known || ruling_.plan.percent.value_or(kWhole) >= kWhole) return std::nullopt;
    return mark_.set(grant_.devices[static_cast<std::size_t>(device)].uuid);
}

void Session::check_again(CUdevice device) { checked_ &= ~bit_of(device); }

bool Session::is_checked(CUdevice device) const { return (checked_ & bit_of(device)) != 0; }

// The devices do not change any more once the stage is kGranted.
bool Session::all_checked() const {
    return static_cast<std::size_t>(std::popcount(checked_.load())) >= grant_.devices.size();
}

void Session::context_failed(CUresult code) {
    const auto line = cuda::explain_context_error(code, grant_);
    if (!line) return;
    const HeldSignals held(HeldSignals::Which::kAll);
    const std::lock_guard lock(mutex_);
    if (stage_ != Stage::kGranted) return;
    say_once(code, *line);
    recorder_.publish(state::State::kRefused, *line);
    in_doubt_ = true;
}

}  // namespace ration::engine
