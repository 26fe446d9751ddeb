#include "shim/cuda/green/residence.h"

#include "shim/cuda/green/rounding.h"

namespace ration::cuda::green {
namespace {

// Counts down, but never below zero: false where it is zero.
bool take_one(std::atomic<unsigned>& count) {
    unsigned now = count.load();
    while (now != 0 && !count.compare_exchange_weak(now, now - 1)) {
    }
    return now != 0;
}

}  // namespace

void Residence::confine(Layout layout, unsigned sms) {
    const std::lock_guard lock(mutex_);
    layout_ = std::move(layout);
    sms_.store(sms, std::memory_order_release);
}

std::optional<Refusal> Residence::place() {
    const std::lock_guard lock(mutex_);
    return place_locked();
}

std::optional<Refusal> Residence::place_locked() {
    if (!groups_.empty()) return std::nullopt;
    auto placed = opening_.place(device_);
    if (const Refusal* refusal = refusal_of(placed)) return *refusal;
    groups_ = std::move(std::get<std::vector<unsigned>>(placed));
    return std::nullopt;
}

CUresult Residence::learn_primary() {
    if (primary() != nullptr) return CUDA_SUCCESS;
    CUcontext found = nullptr;
    const CUresult code = calls_.cuDevicePrimaryCtxRetain(&found, device_);
    if (code != CUDA_SUCCESS) return code;
    homes_.know_primary(device_, found);
    primary_.store(found, std::memory_order_release);
    calls_.cuDevicePrimaryCtxRelease_v2(device_);
    return CUDA_SUCCESS;
}

// Made first, and the primary's handle asked for afterwards: so the primary is activated once.
std::optional<Refusal> Residence::need_home() {
    const std::lock_guard lock(mutex_);
    if (home_ || given_up_) return std::nullopt;
    if (auto refusal = place_locked()) return refusal;
    auto made = make_home(calls_, device_, layout_, groups_);
    if (const Refusal* refusal = refusal_of(made)) return *refusal;
    const Home home = std::get<Home>(made);
    CUresult code = learn_primary();
    if (code == CUDA_SUCCESS && !opening_.open(device_, home.context, primary())) {
        code = CUDA_ERROR_OUT_OF_MEMORY;
    }
    if (code != CUDA_SUCCESS) {
        calls_.cuGreenCtxDestroy(home.green);
        return Refusal{code, "no context can be had on " + layout_.uuid + ": error " +
                                 std::to_string(code) + ": run `ration doctor`"};
    }
    home_ = home;
    homes_.begin(device_, home.context);
    has_home_ = true;
    return std::nullopt;
}

bool Residence::give_up() {
    const std::lock_guard lock(mutex_);
    return !home_ && !given_up_.exchange(true);
}

CUcontext Residence::home() const {
    CUcontext const told = primary();
    CUcontext const real = homes_.real(told);
    return real == told ? nullptr : real;
}

// Threads that have it current keep an ended context, as they would keep the primary itself.
void Residence::end_home() {
    homes_.end(device_);
    has_home_ = false;
    opening_.close(device_);
    calls_.cuGreenCtxDestroy(home_->green);
    home_.reset();
    ends_with_greens_ = false;
}

void Residence::retained(CUcontext primary) {
    ++uses_;
    if (primary_.exchange(primary, std::memory_order_acq_rel) == primary) return;
    homes_.know_primary(device_, primary);
}

CUresult Residence::release(CUresult (*real)(CUdevice), bool nested) {
    std::unique_lock lock(mutex_, std::defer_lock);
    if (!nested) lock.lock();
    // The driver would count it against the home, and the primary context would be spoilt.
    if (has_home_ && uses_ == 0) return CUDA_ERROR_INVALID_CONTEXT;
    if (!nested && home_ && uses_ == 1) {
        ends_with_greens_ = greens_ != 0;
        if (!ends_with_greens_) end_home();
    }
    const CUresult code = real(device_);
    if (code == CUDA_SUCCESS) take_one(uses_);
    return code;
}

CUresult Residence::reset(CUresult (*real)(CUdevice), bool nested) {
    std::unique_lock lock(mutex_, std::defer_lock);
    if (!nested) lock.lock();
    if (!nested && home_ && greens_ == 0) end_home();
    return real(device_);
}

bool Residence::active() const { return !has_home_ || uses_ != 0 || greens_ != 0; }

void Residence::green_ended(bool nested) {
    if (!take_one(greens_) || nested) return;
    const std::lock_guard lock(mutex_);
    if (home_ && ends_with_greens_ && greens_ == 0 && uses_ == 0) end_home();
}

}  // namespace ration::cuda::green
