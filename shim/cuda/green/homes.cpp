#include "shim/cuda/green/homes.h"

#include <algorithm>

namespace ration::cuda::green {
namespace {

unsigned index_of(CUdevice device) { return static_cast<unsigned>(device); }

}  // namespace

CUcontext Homes::told_of_ended(CUcontext real) const {
    const int device = device_of_home(real);
    return device < 0 ? real : devices_[index_of(device)].primary.load(std::memory_order_relaxed);
}

int Homes::device_of_primary(CUcontext told) const {
    const unsigned used = used_.load(std::memory_order_acquire);
    for (unsigned device = 0; told != nullptr && device < used; ++device) {
        if (devices_[device].primary.load(std::memory_order_relaxed) == told) {
            return static_cast<int>(device);
        }
    }
    return -1;
}

int Homes::device_of_home(CUcontext real) const {
    if (real == nullptr) return -1;
    const unsigned used = used_.load(std::memory_order_acquire);
    for (unsigned device = 0; device < used; ++device) {
        if (devices_[device].home.load(std::memory_order_acquire) == real) {
            return static_cast<int>(device);
        }
    }
    return device_of_ended(real);
}

int Homes::device_of_ended(CUcontext real) const {
    const unsigned ended = std::min(ended_count_.load(std::memory_order_acquire), kMostEnded);
    for (unsigned i = 0; i < ended; ++i) {
        if (ended_[i].home.load(std::memory_order_acquire) == real) return ended_[i].device.load();
    }
    return -1;
}

int Homes::device_of_absent(CUcontext real) const {
    if (real == nullptr) return -1;
    const unsigned used = used_.load(std::memory_order_acquire);
    for (unsigned device = 0; device < used; ++device) {
        if (devices_[device].home.load(std::memory_order_acquire) == real) return -1;
    }
    const int device = device_of_primary(real);
    return device >= 0 ? device : device_of_ended(real);
}

bool Homes::is_other(CUcontext told) const {
    const unsigned known = std::min(other_count_.load(std::memory_order_acquire), kMostDevices);
    return told != nullptr &&
           std::any_of(others_.begin(), others_.begin() + known, [told](const auto& other) {
               return other.load(std::memory_order_relaxed) == told;
           });
}

// A context may also have ended where no hook of ours saw it.
void Homes::know_primary(CUdevice device, CUcontext primary) {
    forget_other(primary);
    devices_[index_of(device)].primary.store(primary, std::memory_order_relaxed);
    unsigned used = used_.load(std::memory_order_relaxed);
    while (used <= index_of(device) &&
           !used_.compare_exchange_weak(used, index_of(device) + 1, std::memory_order_release)) {
    }
    change();
}

void Homes::begin(CUdevice device, CUcontext home) {
    forget_ended(home);
    devices_[index_of(device)].home.store(home, std::memory_order_release);
}

// Listed among the ended ones first, so that no look-up misses it in between.
void Homes::end(CUdevice device) {
    CUcontext const home = devices_[index_of(device)].home.load(std::memory_order_relaxed);
    if (home == nullptr) return;
    const unsigned place = ended_count_.fetch_add(1) % kMostEnded;
    ended_[place].device.store(device, std::memory_order_relaxed);
    ended_[place].home.store(home, std::memory_order_release);
    devices_[index_of(device)].home.store(nullptr, std::memory_order_release);
    change();
}

void Homes::know_other(CUcontext told) {
    if (is_other(told)) return;
    others_[other_count_.fetch_add(1) % kMostDevices].store(told, std::memory_order_relaxed);
}

void Homes::forget_other(CUcontext told) {
    if (other_count_.load(std::memory_order_acquire) == 0) return;
    for (auto& other : others_) {
        CUcontext former = told;
        other.compare_exchange_strong(former, nullptr);
    }
}

void Homes::forget_ended(CUcontext made) {
    if (ended_count_.load(std::memory_order_acquire) == 0) return;
    for (Ended& ended : ended_) {
        CUcontext former = made;
        ended.home.compare_exchange_strong(former, nullptr);
    }
}

}  // namespace ration::cuda::green
