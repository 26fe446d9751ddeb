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
    if (auto refusal = place()) return refusal;
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

std::unique_lock<std::mutex> Residence::locked(bool nested) {
    return nested ? std::unique_lock<std::mutex>() : std::unique_lock(mutex_);
}

// Counted before the driver is asked: what another thread releases meanwhile is not the last use,
// and the home stays. Taken back where the driver refuses, or the thread is cancelled in it.
class Residence::Use {
  public:
    Use(Residence& here, bool nested) : here_(here) {
        const auto lock = here.locked(nested);
        ++here.uses_;
    }
    ~Use() {
        if (!kept_) take_one(here_.uses_);
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    void keep() { kept_ = true; }

  private:
    Residence& here_;
    bool kept_ = false;
};

CUresult Residence::retain(CUresult (*real)(CUcontext*, CUdevice), CUcontext* context,
                           bool nested) {
    Use use(*this, nested);
    const CUresult code = real(context, device_);
    if (code != CUDA_SUCCESS) return code;
    use.keep();
    alive_ = true;
    if (primary_.exchange(*context, std::memory_order_acq_rel) != *context) {
        homes_.know_primary(device_, *context);
    }
    return code;
}

CUresult Residence::release(CUresult (*real)(CUdevice), bool nested) {
    const auto lock = locked(nested);
    // The driver would count it against the home, and the primary context would be spoilt.
    if (has_home_ && uses_ == 0) return CUDA_ERROR_INVALID_CONTEXT;
    if (!nested && home_ && uses_ == 1) {
        ends_with_greens_ = greens_ != 0;
        if (!ends_with_greens_) end_home();
    }
    const CUresult code = real(device_);
    if (code != CUDA_SUCCESS) return code;
    take_one(uses_);
    if (uses_ == 0 && greens_ == 0) alive_ = false;
    return code;
}

CUresult Residence::reset(CUresult (*real)(CUdevice), bool nested) {
    const auto lock = locked(nested);
    if (!nested && home_ && greens_ == 0) end_home();
    const CUresult code = real(device_);
    if (code == CUDA_SUCCESS) alive_ = false;
    return code;
}

void Residence::green_made() {
    ++greens_;
    alive_ = true;
}

void Residence::green_ended(bool nested) {
    if (!take_one(greens_)) return;
    const auto lock = locked(nested);
    if (uses_ != 0 || greens_ != 0) return;
    alive_ = false;
    if (!nested && home_ && ends_with_greens_) end_home();
}

}  // namespace ration::cuda::green
