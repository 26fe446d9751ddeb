// Green contexts: made from a primary context, and ended.
#include "tests/sim/driver/driver.h"
#include "tests/sim/driver/resource.h"

namespace sim {

CUresult Driver::create_green(const CUdevResourceDesc_st& description, CUcontext& context) {
    constexpr std::uint64_t kOwn = 6 * kMiB;  // measured
    const CUresult result = need_primary(description.device);
    if (result != CUDA_SUCCESS) return result;
    Device& device = at(description.device);
    if (free_bytes(device) < kOwn) {
        end_unused_primary(device);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    const CUctx_st& root = *device.primary;
    context = new CUctx_st{description.device,
                           root.flags,
                           root.api_version,
                           next_context_id_++,
                           root.affinity_sms,
                           static_cast<int>(description.sms.count()),
                           0,
                           kOwn,
                           false,
                           description.sms,
                           description.grain};
    context->root = device.primary;
    context->legacy.reset(new CUstream_st{context, CU_STREAM_NON_BLOCKING, 0, next_stream_id_++});
    device.used += kOwn;
    ++device.greens;
    contexts.insert(context);
    return CUDA_SUCCESS;
}

// Its streams stay, to answer that it is gone. What they had still to do is the primary's to wait
// for.
void Driver::destroy_green(CUcontext context) {
    Device& device = at(context->device);
    for (WorkPtr& work : unfinished(context)) {
        context->root->leftovers.push_back({std::move(work), false});
    }
    device.used -= context->own_bytes;
    contexts.erase(context);
    destroyed.insert(context);
    --device.greens;
    end_unused_primary(device);
}

}  // namespace sim
