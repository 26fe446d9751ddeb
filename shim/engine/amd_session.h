// One process's course on AMD GPUs: decided, then queue by queue.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "shim/amd/device_file.h"
#include "shim/amd/queues.h"
#include "shim/amd/quota.h"
#include "shim/amd/streams.h"
#include "shim/engine/amd_ruling.h"
#include "shim/engine/boundary.h"
#include "shim/engine/recorder.h"
#include "shim/host/environment.h"
#include "shim/host/generation.h"
#include "shim/preload/signatures.h"

namespace ration::engine {

// Never destroyed: threads may be inside its calls until the process ends.
class AmdSession {
  public:
    // Works out what is to become of this process and hands it to the front, which takes that of
    // the thread that comes first. Only then anything is said, recorded or changed.
    static void begin(const ration_front& front);

    // This process's session. A forked child finds its parent's and has the front decide anew.
    // Throws std::bad_alloc if that cannot be. A thread that is about the decision gets what there
    // is, which lets its call pass through.
    static AmdSession& current();
    // The same; null if it cannot be.
    static AmdSession* find();

    // What a child's request is told that finds no session: as the front says from then on, whose
    // own refusal is in force.
    static int without_session(const amd::kfd::Call& call);

    // The library's own function. Null if the library is not loaded or lacks it.
    template <Hook hook>
    typename Signature<hook>::Pointer real() const {
        return reinterpret_cast<typename Signature<hook>::Pointer>(real_address(hook));
    }

    // Calls it, while hooks of the same library pass through: ROCm 7's HIP calls symbols that it
    // exports itself.
    template <Hook hook, class... Arguments>
    auto call(Arguments... arguments) const {
        const Deeper deeper(front_, library_of(hook));
        return real<hook>()(arguments...);
    }

    // Whether this call comes from within the library, or from within the work on the decision of
    // a forked child.
    bool nested(Library library) const { return depth(front_, library) > 0 || !ours(); }

    // Whether HIP and HSA are to find no device, and no stream is to be had.
    bool refused() const { return stage_.load(std::memory_order_acquire) == Stage::kRefused; }
    bool no_streams() const { return refused() || no_queues_.load(std::memory_order_acquire); }

    // The HSA runtime has been initialised. The first time that HIP is there the kernel is tried
    // with the grant's masks: where it refuses one, the runtime is shut down again, and an error is
    // returned.
    amd::HsaStatus initialised();

    // Whether a request of KFD's number bears on no grant. Most do: HIP makes over a hundred events
    // for three streams. Asked first, by what lies together in memory: what HIP clears for a stream
    // pushes all else out of the caches each time.
    bool passes(unsigned long number) const { return !concerned(amd::kfd::request_of(number)); }
    int pass(const amd::kfd::Call& call) const { return amd::kfd::pass(ioctl_, call); }

    // Any other, if it is for /dev/kfd.
    int ioctl(const amd::kfd::Call& call);

    // What holds for the GPU of a KFD node, for HIP's current device or for that of a stream;
    // nullopt: nothing does.
    std::optional<amd::DeviceLimit> limit_of_node(unsigned node) const;
    std::optional<amd::DeviceLimit> limit_of_current_device() const;
    std::optional<amd::DeviceLimit> limit_of_stream(amd::HipStream stream) const;
    std::uint64_t memory_left(const amd::DeviceLimit& limit) const;

    amd::Streams& streams() { return streams_; }

    // Says a line once.
    void complain(const std::string& line);

    // Gives the process other masks while it runs; see amd::Queues::replace.
    amd::Queues::Replaced resize(std::vector<amd::DeviceLimit> limits);

  private:
    friend class AmdFakes;  // the tests' front and kernel

    enum class Stage { kUntouched, kConfined, kRefused };

    static constexpr auto kAmd = static_cast<std::uint32_t>(Vendor::kAmd);

    static int& depth(const ration_front& front, Library library) {
        return *front.depth(static_cast<std::uint32_t>(library));
    }

    class Deeper {
      public:
        Deeper(const ration_front& front, Library library) : depth_(depth(front, library)) {
            ++depth_;
        }
        ~Deeper() { --depth_; }
        Deeper(const Deeper&) = delete;
        Deeper& operator=(const Deeper&) = delete;

      private:
        int& depth_;
    };

    // What was found, and what is to be said of it once this is the process's session.
    struct Findings {
        AmdRuling ruling;
        std::vector<std::string> passed_over;
    };
    static Findings find_out();
    static void begin(const ration_front& front, Findings findings);

    AmdSession(const ration_front& front, AmdSession* former, Findings findings);

    bool ours() const { return generation_ == host::generation(); }
    void commit();
    void announce();
    bool needed(Hook hook) const;
    void* real_address(Hook hook) const;
    bool concerned(amd::kfd::Request request) const {
        using amd::kfd::Request;
        if (request == Request::kOther) return refused();
        const bool of_memory = request == Request::kAllocateMemory ||
                               request == Request::kFreeMemory ||
                               request == Request::kAvailableMemory;
        return !of_memory || counts_memory_ || refused();
    }
    void granted();
    void not_masked(const std::string& line);
    template <class Function>
    Function* hip_function(const char* name) const {
        const auto hip = static_cast<std::uint32_t>(Library::HIP);
        return reinterpret_cast<Function*>(front_.find(hip, name));
    }
    std::optional<int> current_device() const;
    std::optional<int> device_of(amd::HipStream stream) const;
    std::optional<std::string> address_of(int device) const;
    std::optional<amd::DeviceLimit> limit_of_device(std::optional<int> device) const;

    // Side by side, for requests that pass.
    const std::uint32_t generation_;
    std::atomic<Stage> stage_{Stage::kUntouched};
    const amd::kfd::Ioctl ioctl_;
    const bool counts_memory_;

    const ration_front& front_;
    AmdSession* const former_;  // the parent's: leaked on purpose, and kept reachable
    const AmdRuling ruling_;
    const std::vector<std::string> passed_over_;
    mutable std::atomic<void*> known_[kHookCount] = {};
    host::Overlay overlay_;
    amd::Queues queues_;
    amd::Quota quota_;
    amd::Streams streams_;
    amd::DeviceFile device_file_;
    std::atomic<bool> no_queues_{false};  // the kernel took no mask: queues are refused
    std::atomic<bool> tried_{false};      // the kernel, with the grant's masks
    std::atomic<bool> settled_{false};    // the record says what became of a mask

    std::mutex mutex_;  // guards what follows
    Recorder recorder_;
    std::set<std::string> said_;
};

}  // namespace ration::engine
