// The life of one device's primary context and of the home that stands for it.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "shim/cuda/green/home.h"
#include "shim/cuda/green/homes.h"
#include "shim/cuda/refusal.h"

namespace ration::cuda::green {

// What a home needs of others.
struct Opening {
    // Which groups it is to have, asked before the first. A refusal may be another next time.
    std::function<Or<std::vector<unsigned>>(CUdevice)> place;
    // Before it is first current, and before it ends.
    // False: no memory.
    std::function<bool(CUdevice, CUcontext home, CUcontext primary)> open;
    std::function<void(CUdevice)> close;
};

// A green context keeps its primary context active, lets its reset answer CUDA_ERROR_NOT_PERMITTED,
// and one release too many spoils the primary for good (all measured: H100, driver 580.159.04). So
// the program's uses are counted here, and the home ends before the driver is asked for any of
// that. Never destroyed: a thread may be inside.
class Residence {
  public:
    Residence(const Calls& calls, Homes& homes, const Opening& opening, CUdevice device)
        : calls_(calls), homes_(homes), opening_(opening), device_(device) {}

    // Before anything else, once: homes are to have `sms` SMs of these groups.
    void confine(Layout layout, unsigned sms);
    bool confined() const { return sms_.load(std::memory_order_acquire) != 0; }
    // What the program is told of its number of SMs; 0: what the driver says.
    unsigned sms() const { return sms_.load(std::memory_order_acquire); }

    // Makes the home, if there is none now and the device is not given up. A refusal is the
    // driver's, and may be another next time.
    std::optional<Refusal> need_home();
    // From now on the device is used without a home. False: it has one, or was given up before.
    bool give_up();
    bool given_up() const { return given_up_.load(std::memory_order_acquire); }
    CUcontext home() const;
    CUcontext primary() const { return primary_.load(std::memory_order_acquire); }

    // The program's own calls of these names. `nested`: it comes from inside of one of the driver's
    // calls, so that no lock may be taken.
    CUresult retain(CUresult (*real)(CUcontext*, CUdevice), CUcontext* context, bool nested);
    CUresult release(CUresult (*real)(CUdevice), bool nested);
    CUresult reset(CUresult (*real)(CUdevice), bool nested);
    // Whether the primary context would be active without the home: who has it current works in it.
    bool alive() const { return alive_.load(std::memory_order_acquire); }
    // Whether it is, as far as the program is to know.
    bool active() const { return !has_home_ || alive_; }

    // The program's own green contexts, which keep the primary active too.
    void green_made();
    void green_ended(bool nested);
    unsigned greens() const { return greens_.load(); }

  private:
    class Use;

    std::unique_lock<std::mutex> locked(bool nested);
    std::optional<Refusal> place();
    void end_home();
    // Learns the primary context's handle from the driver.
    CUresult learn_primary();

    const Calls& calls_;
    Homes& homes_;
    const Opening& opening_;
    const CUdevice device_;

    // Held across the driver's own calls that make and end contexts, but not while the program
    // retains one: tools that the driver loads there may wait for threads that come here.
    std::mutex mutex_;
    Layout layout_;
    std::vector<unsigned> groups_;
    std::optional<Home> home_;

    std::atomic<unsigned> sms_{0};
    std::atomic<CUcontext> primary_{nullptr};
    std::atomic<bool> has_home_{false};
    std::atomic<bool> given_up_{false};
    std::atomic<bool> alive_{false};
    // Retained and not released, or about to be retained; a reset changes nothing in it.
    std::atomic<unsigned> uses_{0};
    std::atomic<unsigned> greens_{0};  // the program's own
    bool ends_with_greens_ = false;    // the last release came while greens lived
};

}  // namespace ration::cuda::green
