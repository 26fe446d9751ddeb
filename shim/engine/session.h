// One process's course: decided, initialised, verified, first context.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <set>

#include "shim/cuda/driver.h"
#include "shim/cuda/verify.h"
#include "shim/engine/boundary.h"
#include "shim/engine/recorder.h"
#include "shim/engine/ruling.h"
#include "shim/host/environment.h"
#include "shim/preload/hooks.h"

namespace ration::engine {

// Never destroyed: threads may be inside its calls until the process ends.
class Session {
  public:
    // Begins the session of this process: decides, and routes the hooks that the decision needs.
    static void begin(const ration_front& front);

    // This process's session. A forked child finds its parent's and begins its own: what was
    // decided there, and the locks that other threads held there, mean nothing here.
    static Session& current();

    // cuInit. No lock is held across the real call: a tool that the driver loads there may start
    // threads, have them call cuInit, and wait for them.
    CUresult init(unsigned int flags);

    // A call that makes or takes a context. `call` is the real one; `undo` takes back a success
    // that is refused after all.
    template <class Call, class Undo>
    CUresult context(Call call, Undo undo) {
        if (*front_.depth(kCuda) > 0) return call();
        if (const CUresult code = before_context()) return code;
        const Deeper deeper(*this);
        const CUresult result = call();
        const CUresult code = after_context(result);
        if (result == CUDA_SUCCESS && code != CUDA_SUCCESS) undo();
        return code;
    }

    // SMs that the program may ask for on `device`; nullopt: as many as it likes.
    std::optional<unsigned> bound(CUdevice device);

    const cuda::Driver& driver() const { return driver_; }

  private:
    static constexpr auto kCuda = static_cast<std::uint32_t>(Library::CUDA);

    static void replace(const ration_front& front);

    // Only ever goes forward; kRefused and kUntouched are final.
    enum class Stage { kUntouched, kWaiting, kGranted, kRefused };

    Session(const ration_front& front, Session* former, Ruling ruling);

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

    void start(bool routed_before);
    void end();
    CUresult real_init(unsigned int flags);
    void init_failed(CUresult code);
    CUresult settle();
    cuda::Or<cuda::Grant> judge(const std::vector<cuda::Reading>& readings);
    void accept(const cuda::Grant& grant);
    void publish_grant();
    CUresult refuse(const cuda::Refusal& refusal);
    CUresult before_context();
    CUresult after_context(CUresult result);
    bool all_checked() const;
    void leave_contexts() const;
    void context_failed(CUresult code);
    void say_once(CUresult code, const std::string& line);
    void route_all(bool to_us) const;
    void route(Hook hook, bool to_us) const;

    const ration_front& front_;
    Session* const former_;  // the parent's: leaked on purpose, and kept reachable
    const pid_t pid_;
    const cuda::Driver driver_;
    const Ruling ruling_;
    host::Overlay overlay_;
    std::atomic<Stage> stage_{Stage::kUntouched};
    std::atomic<CUresult> code_{CUDA_SUCCESS};  // kRefused

    // Guards what follows. Held while the grant is read back, never across a call of the program.
    std::mutex mutex_;
    Recorder recorder_;
    cuda::Grant grant_;
    std::set<CUdevice> checked_;  // those of which a context was within the grant
    std::set<CUresult> said_;
};

}  // namespace ration::engine
