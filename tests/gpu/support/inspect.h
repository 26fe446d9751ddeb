// Questions that most tests ask, and what they need to know of the GPU that answers.
#pragma once
#include <bitset>

#include "tests/gpu/support/child.h"

namespace gpu {

// cuInit, and for device 0: init, count, sms, mps, total_mib, name, uuid ("GPU-..." without its
// prefix). After a failed cuInit only init and again (the result of a second one).
void inspect_device(Cuda& cuda, Report& report);
// The same, then the primary context: retain, affinity (SMs), affinity_result, sms_after, free_mib.
void inspect_context(Cuda& cuda, Report& report);
// A device's UUID without the prefix "GPU-".
std::string uuid_text(Cuda& cuda, CUdevice device);
using SmMask = std::bitset<512>;

// A kernel that marks the SMs that it runs on, by %smid.
class SmProbe {
  public:
    // Loads it in the current context.
    explicit SmProbe(Cuda& cuda);
    ~SmProbe();
    SmProbe(const SmProbe&) = delete;

    // Forgets what was marked, and runs the kernel, both in the stream.
    CUresult launch(CUstream stream);
    // Runs the kernel cooperatively, with as many blocks as `sms` SMs hold and `more`.
    CUresult launch_cooperatively(CUstream stream, int sms, unsigned more = 0);
    // What has been marked; the caller has waited for the stream.
    SmMask marked();

  private:
    Cuda& cuda_;
    CUmodule module_ = nullptr;
    CUfunction kernel_ = nullptr;
    CUdeviceptr mask_ = 0;
};

// The SMs that a kernel in the stream ran on; none if it didn't run.
SmMask sms_of(Cuda& cuda, CUstream stream);
// How many those are in the current context's NULL stream; -1 if the kernel didn't run.
int distinct_sms(Cuda& cuda);

// The node's first GPU without MPS, asked once.
struct Part {
    int sms;
    long long total_mib;
    int count;   // GPUs
    int driver;  // CUDA version
    std::string name;
    std::string uuid;  // with "GPU-"
    // The part that the literal numbers were measured on: an H100 SXM, CUDA 13.0.
    bool measured() const { return sms == 132 && total_mib == 81079 && driver == 13000; }
};
const Part& part();

constexpr long long kMiB = 1 << 20;

}  // namespace gpu
