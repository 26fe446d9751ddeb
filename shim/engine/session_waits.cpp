// A session under green contexts that takes groups of SMs, and waits where others hold them.
#include "shim/engine/log.h"
#include "shim/engine/session.h"
#include "shim/host/generation.h"
#include "shim/host/open_sleep.h"

namespace ration::engine {

using host::HeldSignals;

std::chrono::seconds Session::longest_wait() const {
    return green_ == nullptr ? std::chrono::seconds(0) : green_->plan().wait;
}

CUresult Session::await_place(CUdevice device, GreenWait& wait) {
    while (true) {
        if (const CUresult ended = sleep(wait)) return ended;
        if (const auto code = place(device, wait)) return *code;
    }
}

std::optional<CUresult> Session::place(CUdevice device, GreenWait& wait) {
    if (green_ == nullptr || green_->is_placed(device)) return CUDA_SUCCESS;
    const HeldSignals held(HeldSignals::Which::kAll);
    const host::Uncancelled uncancelled;
    const auto placed = place_locked(device, wait);
    if (!placed) {
        wait.note_end(held);
        return std::nullopt;
    }
    const cuda::Refusal* const refusal = cuda::refusal_of(*placed);
    if (refusal == nullptr) return CUDA_SUCCESS;
    const CUresult code = no_home(device, *refusal);
    let_go();
    return code;
}

std::optional<cuda::Or<std::vector<unsigned>>> Session::place_locked(CUdevice device,
                                                                     GreenWait& wait) {
    const std::lock_guard lock(mutex_);
    // Another thread was refused meanwhile: no_home() answers what has become of the session.
    if (stage_ != Stage::kGranted) return cuda::Refusal{code_, ""};
    auto placed = green_->place(device, wait);
    if (!placed) {
        say_waiting(wait);
        return placed;
    }
    const bool waited = (waits_ & bit_of(device)) != 0;
    waits_ &= ~bit_of(device);
    if (cuda::refusal_of(*placed) != nullptr) return placed;
    const auto& groups = std::get<std::vector<unsigned>>(*placed);
    if (groups.empty() && !waited) return placed;
    grant_.devices[static_cast<std::size_t>(device)].groups = cuda::green::groups_text(groups);
    publish_grant();
    log::write(log::Level::kInfo, cuda::grant_line(recorder_.record()));
    return placed;
}

// Said once, however many threads wait; the record follows who holds the groups.
void Session::say_waiting(const GreenWait& wait) {
    if (wait.said().empty()) return;
    const state::Record& record = recorder_.record();
    if (record.state != state::State::kWaiting || record.why != wait.said()) {
        recorder_.publish(state::State::kWaiting, wait.said());
    }
    if ((waits_ & bit_of(wait.device())) == 0) log::write(log::Level::kWarn, wait.said());
    waits_ |= bit_of(wait.device());
}

// Another thread that waits too takes again, with its next attempt, what is released here, and says
// so in the record.
void Session::stop_waiting() {
    const HeldSignals held(HeldSignals::Which::kAll);
    const std::lock_guard lock(mutex_);
    waits_ = 0;
    if (stage_ == Stage::kWaiting) green_->release(0);
    if (recorder_.record().state != state::State::kWaiting) return;
    if (stage_ == Stage::kGranted) {
        publish_grant();
    } else {
        recorder_.publish(state::State::kStarting, "");
    }
}

// Without the lock, since the driver may be called under a residence's.
void Session::let_go() {
    const Stage stage = stage_.load(std::memory_order_acquire);
    if (green_ == nullptr || (stage != Stage::kRefused && stage != Stage::kUntouched)) return;
    const HeldSignals held(HeldSignals::Which::kAll);
    const host::Uncancelled uncancelled;
    const auto released = green_->release(checked_);
    const std::lock_guard lock(mutex_);
    bool told = false;
    for (const CUdevice device : released) {
        const auto index = static_cast<std::size_t>(device);
        if (index >= grant_.devices.size() || grant_.devices[index].groups.empty()) continue;
        grant_.devices[index].groups += ", given back";
        told = true;
    }
    if (told) recorder_.publish_granted(cuda::granted_text(grant_.devices));
}

// Nothing of ours is held here, and a handler may leave by longjmp or fork.
CUresult Session::sleep(const GreenWait& wait) {
    struct Leaving {  // by the end of this, or as a cancelled thread
        Session* session;
        ~Leaving() {
            if (session != nullptr) session->stop_waiting();
        }
    } leaving{this};
    const bool ends = wait.end_is_asked() || host::sleep_unless_end_is_asked(wait.pause());
    if (!ends || generation_ != host::generation()) leaving.session = nullptr;
    if (generation_ != host::generation()) return CUDA_ERROR_NOT_INITIALIZED;
    if (!ends) return CUDA_SUCCESS;
    log::write(log::Level::kWarn,
               "SIGINT or SIGTERM ended the wait for groups of SMs: the call fails, and may be "
               "made again");
    return CUDA_ERROR_OPERATING_SYSTEM;
}

}  // namespace ration::engine
