#include "tests/sim/driver/kernels.h"

#include <algorithm>
#include <cstring>

namespace sim {
namespace {

// The first parameter: a pointer to `words` words of memory, or null.
unsigned* first_pointer(const Driver& driver, void** parameters, unsigned words) {
    CUdeviceptr pointer{};
    std::memcpy(&pointer, parameters[0], sizeof pointer);
    return driver.covers(pointer, words * sizeof(unsigned)) ? reinterpret_cast<unsigned*>(pointer)
                                                            : nullptr;
}

}  // namespace

CUresult kernel_task(const Driver& driver, const std::string& name, CUcontext context,
                     unsigned blocks, void** parameters, Task& task) {
    task.run = [] {};
    if (name != "smid_mask" && name != "wait_flag") return CUDA_SUCCESS;
    if (parameters == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const unsigned sms = std::min(static_cast<unsigned>(context->usable_sms), blocks);
    unsigned* words = first_pointer(driver, parameters, name == "smid_mask" ? (sms + 31) / 32 : 1);
    if (words == nullptr) return CUDA_ERROR_ILLEGAL_ADDRESS;
    if (name == "wait_flag") {
        task.ready = [words] { return __atomic_load_n(words, __ATOMIC_ACQUIRE) != 0; };
    } else {
        task.run = [=] {
            for (unsigned sm = 0; sm < sms; ++sm) words[sm / 32] |= 1U << (sm % 32);
        };
    }
    return CUDA_SUCCESS;
}

}  // namespace sim
