// One process's course: decided, initialised, verified, first context.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "shim/cuda/driver.h"
#include "shim/cuda/quota/ledger.h"
#include "shim/cuda/verify.h"
#include "shim/engine/boundary.h"
#include "shim/engine/green_course.h"
#include "shim/engine/percentage_mark.h"
#include "shim/engine/recorder.h"
#include "shim/engine/ruling.h"
#include "shim/host/environment.h"
#include "shim/host/undisturbed.h"
#include "shim/preload/hooks.h"

namespace ration::engine {

// Never destroyed: threads may be inside its calls until the process ends.
class Session {
  public:
    // Works out what is to become of this process and hands it to the front, which takes that of
    // the thread that comes first. Only then anything is said, recorded or changed.
    static void begin(const ration_front& front);

    // This process's session. A forked child finds its parent's and has the front decide anew: what
    // was decided there, and the locks that other threads held there, mean nothing here. Throws
    // std::bad_alloc if that cannot be. A thread that is about the decision gets what there is,
    // which lets its call pass through.
    static Session& current();

    // cuInit. No lock is held across the real call: a tool that the driver loads there may start
    // threads, have them call cuInit, and wait for them.
    CUresult init(unsigned int flags);

    // A call that makes or takes a context. `call` is the real one; `undo` takes back a success
    // that is refused after all, or that others' groups stand in the way of: then `call` is made
    // once more when they have ended.
    template <class Call, class Undo>
    CUresult context(Call call, Undo undo) {
        if (passes_through()) return call();
        while (true) {
            if (const CUresult code = before_context()) return code;
            std::optional<GreenWait> wait;
            const CUresult code = checked(call, undo, wait);
            if (!wait) return code;
            if (const CUresult ended = await_place(wait->device(), *wait)) return ended;
        }
    }

    // For hooks of other groups than the course: work of ours that calls the driver, and must not
    // be left half done. `work` is told whether the call came from inside of one of the driver's,
    // where no lock may be taken.
    template <class Work>
    CUresult apart(Work work) {
        if (passes_through()) return work(true);
        const host::HeldSignals held(host::HeldSignals::Which::kHandled);
        const host::Uncancelled uncancelled;
        const Deeper deeper(*this);
        return work(false);
    }
    bool nested() const { return passes_through(); }
    // What a call that needs the grant answers if there is none; reads it back if that is due.
    CUresult ready() { return before_context(); }

    // Under green contexts. The home of a device that is confined, made if there is none.
    CUresult need_home(CUdevice device);
    // What is current in this thread is a home of that device which has ended, or the primary
    // context itself: if that lives, the home takes its place.
    CUresult revive(CUdevice device);
    // A primary context lives again. If homes have ended that other threads may have current, calls
    // look at what is from now on.
    static void revive_from_now_on();
    // `context` has just become current: if it is a primary context its home takes its place. Where
    // that cannot be had, `back` undoes what was done.
    template <class Back>
    CUresult enter_home(CUcontext context, Back back) {
        const CUresult code = enter_home(context);
        if (code != CUDA_SUCCESS) back();
        return code;
    }
    // Whether this process's groups are its own still: asked where a primary context is retained or
    // a stream is made, since a program may close our descriptors at any time. What is free still
    // is taken again; of what others have now it says so, once, and the record too. Says nothing
    // and does nothing from within the driver, and in a child that has not decided yet.
    static void keep_groups();
    // One call is refused, and what was granted stays. CUDA_SUCCESS if the policy would rather
    // warn.
    CUresult refuse_call(const cuda::Refusal& refusal);

    // SMs that the program may ask for on `device`; nullopt: as many as it likes.
    std::optional<unsigned> bound(CUdevice device);

    // The context that is made next on `device` is looked at, although one was before.
    void check_again(CUdevice device);

    // Null: nothing is counted here, or not yet.
    cuda::quota::Ledger* ledger() const { return ledger_.load(std::memory_order_acquire); }
    // Before a call that allocates, where there is no ledger: what it is to answer, if the share
    // could not be had.
    CUresult before_memory();
    // The program has made `context` by itself.
    void context_made(CUcontext context) const {
        if (cuda::quota::Ledger* const counting = ledger()) counting->context_made(context);
    }

    const cuda::Driver& driver() const { return driver_; }

  private:
    friend class Fakes;  // the tests' front, under which one process has several sessions

    static constexpr auto kCuda = static_cast<std::uint32_t>(Library::CUDA);
    static constexpr auto kNvidia = static_cast<std::uint32_t>(Vendor::kNvidia);

    // kWaiting comes first where there is a share; kGranted may still become kRefused, at a
    // context. kUntouched and kRefused are final.
    enum class Stage { kUntouched, kWaiting, kGranted, kRefused };

    // What was found, and what is to be said of it once this is the process's session.
    struct Findings {
        Ruling ruling;
        std::vector<std::string> passed_over;
    };
    static Findings find_out();

    Session(const ration_front& front, Session* former, Findings findings);

    // A driver call under way in this thread: what the driver calls from within, passes through.
    class Deeper {
      public:
        explicit Deeper(const Session& session) : depth_(session.front_.depth(kCuda)) { ++*depth_; }
        ~Deeper() { --*depth_; }
        Deeper(const Deeper&) = delete;
        Deeper& operator=(const Deeper&) = delete;

      private:
        int* const depth_;
    };

    // Our function for a row of CUDA's; null where the plan needs none. Of those rows nothing is
    // looked up.
    void* function_of(Hook hook) const;
    void* usual_function(Hook hook) const;
    void begin_reviving();
    template <class Visit>
    void for_each_hook(Visit visit) const {
        for (unsigned row = 0; row < kHookCount; ++row) {
            const auto hook = static_cast<Hook>(row);
            if (library_of(hook) == Library::CUDA && function_of(hook) != nullptr) visit(hook);
        }
    }
    bool has(Hook hook) const { return present_[static_cast<unsigned>(hook)]; }
    bool passes_through() const;
    void take_back_in_child();
    void commit();
    void announce();
    CUresult real_init(unsigned int flags);
    void init_failed(CUresult code);
    struct Judgement {
        cuda::Or<cuda::Grant> grant;
        GreenCourse::Parts parts;  // under green contexts
    };
    CUresult settle();
    std::optional<Judgement> read_back();
    std::optional<CUresult> conclude(const Judgement& judgement, GreenWait& wait);
    Judgement judge(const cuda::Readings& read) const;
    cuda::Or<cuda::Grant> verified(const cuda::Readings& read) const;
    CUresult accept(const cuda::Grant& grant, const GreenCourse::Parts& parts);
    std::optional<cuda::Refusal> start_counting(const cuda::Grant& grant);
    CUresult enter_home(CUcontext context);
    void dropped(const std::vector<GreenPlaces::Dropped>& found);
    CUresult no_home(CUdevice device, const cuda::Refusal& refusal);
    void publish_grant();
    CUresult refuse(const cuda::Refusal& refusal);
    CUresult refuse_device(CUdevice device, const cuda::Refusal& refusal);
    CUresult before_context();
    // An error and `wait` where others hold the groups of the context's device. From where it
    // begins to do something, signals are `held` until all of it is done, or undone.
    CUresult after_context(CUresult result, std::optional<host::HeldSignals>& held,
                           std::optional<GreenWait>& wait);
    template <class Call, class Undo>
    CUresult checked(Call call, Undo undo, std::optional<GreenWait>& wait) {
        std::optional<host::HeldSignals> held;  // to the end: its handlers may leave by longjmp
        const host::Uncancelled uncancelled;
        const Deeper deeper(*this);
        const CUresult result = [&] {
            const host::Uncancelled::Pause pause(uncancelled);
            return call();
        }();
        const CUresult code = after_context(result, held, wait);
        if (result == CUDA_SUCCESS && code != CUDA_SUCCESS) {
            undo();
            let_go();
        }
        if (wait) wait->note_end(*held);
        return code;
    }
    // Under green contexts: has the groups of a device chosen. One attempt, nothing where others
    // hold them; CUDA_SUCCESS where there is nothing to do.
    std::optional<CUresult> place(CUdevice device, GreenWait& wait);
    // After an attempt in vain: waits where nothing of ours is held.
    CUresult await_place(CUdevice device, GreenWait& wait);
    std::optional<cuda::Or<std::vector<unsigned>>> place_locked(CUdevice device, GreenWait& wait);
    std::chrono::seconds longest_wait() const;
    // Between two attempts. An error ends the wait.
    CUresult sleep(const GreenWait& wait);
    void say_waiting(const GreenWait& wait);
    void stop_waiting();
    // Where the share has been refused: nobody is to be kept from groups by a process that is not
    // in the partition.
    void let_go();
    std::optional<cuda::Refusal> mark(CUdevice device);
    static std::uint64_t bit_of(CUdevice device);
    bool is_checked(CUdevice device) const;
    bool all_checked() const;
    void await_contexts() const;
    void leave_contexts() const;
    void context_failed(CUresult code);
    void say_once(CUresult code, const std::string& line);
    void route_all(bool to_us) const;
    void route(Hook hook, bool to_us) const;

    const ration_front& front_;
    Session* const former_;  // the parent's: leaked on purpose, and kept reachable
    const std::uint32_t generation_;
    const cuda::Driver driver_;
    // Entry points that this driver has, of those that are hooked.
    std::array<std::atomic<bool>, kHookCount> present_{};
    const Ruling ruling_;
    const std::unique_ptr<GreenCourse> green_;  // null under other mechanisms
    const std::vector<std::string> passed_over_;
    std::uint32_t taken_back_in_ = 0;  // the generation of the child that did
    host::Overlay overlay_;
    std::atomic<Stage> stage_{Stage::kUntouched};
    std::atomic<bool> revives_{false};
    std::atomic<CUresult> code_{CUDA_SUCCESS};           // kRefused
    std::atomic<cuda::quota::Ledger*> ledger_{nullptr};  // never destroyed, as this

    // Guards what follows. Held neither across a call of the program nor while the loader is asked
    // for anything: a library's constructor, which holds the loader's lock, may wait for it.
    std::mutex mutex_;
    Recorder recorder_;
    cuda::Grant grant_;
    std::set<CUresult> said_;
    PercentageMark mark_;
    bool told_of_retaken_ = false;
    std::uint64_t waits_ = 0;     // bit i: it has been said that groups of device i are waited for
    std::uint64_t unshared_ = 0;  // bit i: device i is used without the share that was asked for

    // Read without the mutex, on the way of every call: written with it.
    std::atomic<std::uint64_t> checked_{0};  // bit i: a context of device i was within the grant
    std::atomic<bool> in_doubt_{false};      // the record says that a context could not be had
};

}  // namespace ration::engine
