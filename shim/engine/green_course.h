// The course of a process that is confined by green contexts: which groups of SMs it has on each
// device, and the homes there.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
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

    GreenCourse(const ration_front& front, const cuda::Plan& plan);

    // The course whose grant is in force in this process; null before that, and without one. Not by
    // way of the session, because calls that only translate come here too often.
    static GreenCourse* active() { return active_.load(std::memory_order_acquire); }

    // Once the driver is initialised: how much of each device this process gets, also written into
    // the grant. Several threads may work this out at once.
    cuda::Or<Parts> divide(cuda::Grant& grant);

    // Groups are chosen before the grant is adopted where it is certain that the process uses the
    // device, else with its first context there. What follows answers nothing where others hold
    // what is wanted, and `wait` says when to ask again; one thread at a time may ask.
    //
    // The grant, with what was chosen.
    std::optional<cuda::Or<cuda::Grant>> place_certain(const Parts& parts, cuda::Grant grant,
                                                       GreenWait& wait);
    // Of one device, after the grant was adopted. Of one that is wholly had there are none, but
    // others see from now on that it is taken.
    std::optional<cuda::Or<std::vector<unsigned>>> place(CUdevice device, GreenWait& wait);
    // Whether that is done, or there is nothing to do. Any thread.
    bool is_placed(CUdevice device) const;

    // Believes the parts that one of them found. From then on the program is told of its SMs.
    void adopt(const Parts& parts);

    // The share is refused: gives the groups back of each device that is neither in `used`, by
    // bits, nor has a home, and says of which. None will have one from then on.
    std::vector<CUdevice> release(std::uint64_t used);

    // Looks after the groups that were chosen (GreenPlaces::keep).
    std::vector<GreenPlaces::Dropped> keep_groups() { return places_.keep(); }

    // Whether anything is confined: not where the whole of each device was asked for.
    bool confines() const { return confines_; }

    // Whether there are devices of which the whole was asked for, and that are taken with their
    // first contexts.
    bool takes_whole_later() const { return takes_whole_later_; }

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
    cuda::Or<std::vector<unsigned>> chosen(CUdevice device) const;
    bool open(CUdevice device, CUcontext home, CUcontext primary);
    void close(CUdevice device);
    bool certain(const Parts& parts) const { return named_devices_ || parts.size() == 1; }

    static std::atomic<GreenCourse*> active_;

    const cuda::green::GreenPlan plan_;
    const bool named_devices_;
    const cuda::green::Calls calls_;
    const std::string driver_;
    const cuda::green::Opening opening_;
    GreenPlaces places_{plan_};
    cuda::green::Homes homes_;
    std::array<std::unique_ptr<cuda::green::Residence>, cuda::green::kMostDevices> residences_;
    std::array<std::atomic<unsigned>, cuda::green::kMostDevices> lent_{};
    Parts parts_;
    bool confines_ = false;
    bool takes_whole_later_ = false;
    std::array<std::vector<unsigned>, cuda::green::kMostDevices> chosen_;
    std::atomic<std::uint64_t> placed_{0};  // bit i: chosen_[i] is known, and stays
    static_assert(cuda::green::kMostDevices <= 64);

    std::mutex mutex_;  // guards what follows; held across no call
    std::vector<std::pair<CUgreenCtx, CUdevice>> own_greens_;
    std::array<cuda::stream::Domain*, cuda::green::kMostDevices> domains_{};
};

}  // namespace ration::engine
