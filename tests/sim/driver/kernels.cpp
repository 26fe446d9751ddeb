#include "tests/sim/driver/kernels.h"

#include <cstring>
#include <vector>

namespace sim {
namespace {

// The first parameter: a pointer to `words` words of memory, or null.
unsigned* first_pointer(const Driver& driver, void** parameters, unsigned words) {
    CUdeviceptr pointer{};
    std::memcpy(&pointer, parameters[0], sizeof pointer);
    return driver.covers(pointer, words * sizeof(unsigned)) ? reinterpret_cast<unsigned*>(pointer)
                                                            : nullptr;
}

// As many SMs of the set as there are blocks for.
std::vector<unsigned> first_sms(const SmSet& set, unsigned blocks) {
    std::vector<unsigned> sms;
    for (unsigned sm = 0; sm < kMostSms && sms.size() < blocks; ++sm) {
        if (set[sm]) sms.push_back(sm);
    }
    return sms;
}

}  // namespace

bool has_parameter(const std::string& name) { return name == "smid_mask" || name == "wait_flag"; }

CUresult kernel_task(const Driver& driver, const std::string& name, CUcontext context,
                     unsigned blocks, void** parameters, Task& task) {
    task.run = [] {};
    task.node = CU_GRAPH_NODE_TYPE_KERNEL;
    if (!has_parameter(name)) return CUDA_SUCCESS;
    if (parameters == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const std::vector<unsigned> sms = first_sms(context->sms, blocks);
    unsigned* words =
        first_pointer(driver, parameters, name == "smid_mask" ? sms.back() / 32 + 1 : 1);
    if (words == nullptr) return CUDA_ERROR_ILLEGAL_ADDRESS;
    if (name == "wait_flag") {
        task.ready = [words] { return __atomic_load_n(words, __ATOMIC_ACQUIRE) != 0; };
    } else {
        task.run = [=] {
            for (const unsigned sm : sms) words[sm / 32] |= 1U << (sm % 32);
        };
    }
    return CUDA_SUCCESS;
}

}  // namespace sim
