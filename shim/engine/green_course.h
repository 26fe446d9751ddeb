// The course of a process that is confined by green contexts: which groups of SMs it has on each
// device, and the homes there.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shim/cuda/grant.h"
#include "shim/cuda/green/residence.h"
#include "shim/cuda/plan.h"
#include "shim/cuda/stream/layer.h"
#include "shim/engine/boundary.h"
#include "shim/engine/green_places.h"

namespace ration::engine {

// Part of a session, and like it never destroyed.
class GreenCourse {
  public:
    using Parts = std::vector<cuda::green::Part>;

    // `placed` is told the groups that were chosen on a device after the grant was adopted.
    GreenCourse(const ration_front& front, const cuda::Plan& plan,
                std::function<void(CUdevice, const std::string& groups)> placed);

    // The course whose grant is in force in this process; null before that, and without one. Not by
    // way of the session, because calls that only translate come here too often.
    static GreenCourse* active() { return active_.load(std::memory_order_acquire); }

    // Once the driver is initialised: how much of each device this process gets, also written into
    // the grant. Groups are chosen here where it is certain that the process uses the device, else
    // with its first context there. Several threads may work this out at once.
    cuda::Or<Parts> divide(cuda::Grant& grant);

    // Believes the parts that one of them found. From then on the program is told of its SMs.
    void adopt(const Parts& parts);

    // Looks after the groups that were chosen (GreenPlaces::keep).
    std::vector<GreenPlaces::Dropped> keep_groups() { return places_.keep(); }

    // Whether anything is confined: not where the whole of each device was asked for.
    bool confines() const { return confines_; }

    // Whether there are devices of which the whole was asked for, and that are taken with their
    // first contexts.
    bool takes_whole_later() const { return takes_whole_later_; }
    // A context of such a device has come: others see from now on that it is taken. Of any other
    // device nothing is done.
    std::optional<cuda::Refusal> take_whole(CUdevice device);

    const cuda::green::GreenPlan& plan() const { return plan_; }

    cuda::green::Homes& homes() { return homes_; }
    // Null: a device that is not confined, or not any more, or none.
    cuda::green::Residence* residence(CUdevice device);

    // The program's own green contexts, by device.
    void own_green_made(CUgreenCtx green, CUdevice device);
    void own_green_ended(CUgreenCtx green, bool nested);

    // Primary contexts that the program was handed in place of contexts of its own.
    void lend(CUdevice device) { ++lent_[static_cast<unsigned>(device)]; }
    // Whether one of these was out.
    bool take_back(CUdevice device);

  private:
    cuda::Or<std::vector<unsigned>> place(CUdevice device);
    bool open(CUdevice device, CUcontext home, CUcontext primary);
    void close(CUdevice device);
    bool certain() const { return named_devices_ || parts_.size() == 1; }

    static std::atomic<GreenCourse*> active_;

    const cuda::green::GreenPlan plan_;
    const bool named_devices_;
    const cuda::green::Calls calls_;
    const std::string driver_;
    const std::function<void(CUdevice, const std::string&)> placed_;
    const cuda::green::Opening opening_;
    GreenPlaces places_{plan_};
    cuda::green::Homes homes_;
    std::array<std::unique_ptr<cuda::green::Residence>, cuda::green::kMostDevices> residences_;
    std::array<std::atomic<unsigned>, cuda::green::kMostDevices> lent_{};
    Parts parts_;
    bool confines_ = false;
    bool takes_whole_later_ = false;
    std::atomic<std::uint64_t> taken_whole_{0};  // bit i: device i
    static_assert(cuda::green::kMostDevices <= 64);

    std::mutex mutex_;  // guards what follows; held across no call
    std::vector<std::pair<CUgreenCtx, CUdevice>> own_greens_;
    std::array<cuda::stream::Domain*, cuda::green::kMostDevices> domains_{};
};

}  // namespace ration::engine
