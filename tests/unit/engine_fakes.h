// A front, a driver and an MPS daemon for the engine's tests: plain functions over one global
// state.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "shim/cuda/api.h"
#include "shim/engine/boundary.h"
#include "shim/preload/hooks.h"
#include "shim/state/record.h"
#include "tests/unit/temporary_folder.h"

namespace ration::engine {

// What the driver does. Reset by Fakes.
struct FakeDriver {
    std::atomic<int> inits{0};
    std::atomic<bool> initialised{false};
    std::mutex initialising;  // a second caller waits, as in the real cuInit
    bool answers = true;      // false: device queries find the driver not initialised
    std::atomic<unsigned> sms{0};
    std::string seen_share, seen_pipe;  // of the first cuInit; "unset"
    bool lacks_v4 = false;              // is older than cuCtxCreate_v4
    bool ignores_share = false;
    bool has_mps_attribute = true;
    bool served = true;
    CUresult init_result = CUDA_SUCCESS;
    std::atomic<CUresult> context_result{CUDA_SUCCESS};
    unsigned context_sms = 0;            // what cuCtxGetExecAffinity tells; 0: an error
    bool no_current = false;             // no context is current in any thread
    int devices = 1;                     // of 132 SMs each
    CUdevice current = 0;                // whose context is current
    std::function<void()> inside_init;   // a tool that the driver loads
    std::function<void()> inside_query;  // while the devices are counted
    std::function<void()> inside_check;  // while a context is looked at
    bool slow_to_begin = false;          // other threads get their turn meanwhile
    std::vector<unsigned> asked_sms;     // exec affinity of the last cuCtxCreate_v3/_v4
    bool null_parameters = false;
    std::vector<std::string> calls;  // of contexts
};
extern FakeDriver* driver;

// Calls hook `hook` as a program does, through the front's table.
void* routed(Hook hook);
bool is_real(Hook hook);
int real_depth();
void use_in_this_thread(CUdevice device);  // instead of FakeDriver::current

inline CUresult init() { return reinterpret_cast<decltype(&::cuInit)>(routed(Hook::cuInit))(0); }
CUresult set_current();

// Everything an engine test needs: a runtime directory, a daemon, a front. One at a time.
class Fakes {
  public:
    Fakes();
    ~Fakes();
    Fakes(const Fakes&) = delete;
    Fakes& operator=(const Fakes&) = delete;

    // Writes the policy file and lets RATION_POLICY name it.
    void policy(const std::string& text);
    void stop_daemon();
    // ration_engine_attach, as the front calls it.
    int attach(std::string* reason = nullptr);

    const TemporaryFolder& folder() const { return folder_; }
    std::vector<state::Listed> records() const;
    state::Record record() const;  // the only one

  private:
    TemporaryFolder folder_;
    int listener_ = -1;
};

extern const char* const kUuid;        // of the driver's first device
extern const char* const kSecondUuid;  // where there are two

}  // namespace ration::engine
