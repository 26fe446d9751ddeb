// Which context stands for which: the table that every translated call looks into.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "shim/cuda/api.h"

namespace ration::cuda::green {

inline constexpr unsigned kMostDevices = 64;

// Lock-free; a look-up compares as many pointers as the process has devices with a home. A device's
// primary context has one handle for the process's whole life, however often it is released and
// reset (measured: H100, driver 580.159.04); a home has not.
class Homes {
  public:
    // What is really to be current where the program makes `told` current: the home of a primary
    // context, if it has one now, else `told`.
    CUcontext real(CUcontext told) const {
        const unsigned used = used_.load(std::memory_order_acquire);
        for (unsigned device = 0; device < used; ++device) {
            if (devices_[device].primary.load(std::memory_order_relaxed) != told) continue;
            CUcontext const home = devices_[device].home.load(std::memory_order_acquire);
            return home != nullptr ? home : told;
        }
        return told;
    }

    // What the program is told where `real` is current: the primary context of a home, also of one
    // that has ended (threads have it current still), else `real`.
    CUcontext told(CUcontext real) const {
        if (real == nullptr) return nullptr;
        const unsigned used = used_.load(std::memory_order_acquire);
        for (unsigned device = 0; device < used; ++device) {
            if (devices_[device].home.load(std::memory_order_acquire) == real) {
                return devices_[device].primary.load(std::memory_order_relaxed);
            }
        }
        return ended_count_.load(std::memory_order_acquire) == 0 ? real : told_of_ended(real);
    }

    bool is_home(CUcontext real) const { return real != nullptr && told(real) != real; }

    // The device whose primary context this is; -1: of none that is known.
    int device_of_primary(CUcontext told) const;
    // The device whose home this is or was; -1: of none.
    int device_of_home(CUcontext real) const;

    // The device whose home is to be current where this is: a home that has ended, or the primary
    // context itself. -1: of none.
    int device_of_absent(CUcontext real) const;
    bool any_ended() const { return ended_count_.load(std::memory_order_acquire) != 0; }

    // Another number as soon as a context that was not absent may be, or look-ups are told
    // otherwise. Of all tables of the process, so that none is ever seen twice; never 0.
    static std::uint64_t changes() { return changes_.load(std::memory_order_acquire); }
    static void change() { changes_.fetch_add(1, std::memory_order_acq_rel); }

    // Whether the context was found to be no primary context, and lives. Some are forgotten.
    bool is_other(CUcontext told) const;

    // Written under the device's own lock; those for one device never at once. `device` is below
    // kMostDevices, and neither context is null.
    void know_primary(CUdevice device, CUcontext primary);
    void begin(CUdevice device, CUcontext home);
    void end(CUdevice device);
    void know_other(CUcontext told);
    // It is about to end: its handle may be a primary context's next.
    void forget_other(CUcontext told);
    // The driver has made a context of this handle: what ended long ago had it before.
    void forget_ended(CUcontext made);

  private:
    struct Device {
        std::atomic<CUcontext> primary{nullptr};
        std::atomic<CUcontext> home{nullptr};
    };
    static constexpr unsigned kMostEnded = 64;  // the oldest is forgotten
    struct Ended {
        std::atomic<CUcontext> home{nullptr};
        std::atomic<CUdevice> device{0};
    };

    CUcontext told_of_ended(CUcontext real) const;
    int device_of_ended(CUcontext real) const;

    static inline std::atomic<std::uint64_t> changes_{1};

    std::atomic<unsigned> used_{0};
    std::array<Device, kMostDevices> devices_{};
    std::atomic<unsigned> ended_count_{0};
    std::array<Ended, kMostEnded> ended_{};
    std::atomic<unsigned> other_count_{0};
    std::array<std::atomic<CUcontext>, kMostDevices> others_{};
};

}  // namespace ration::cuda::green
