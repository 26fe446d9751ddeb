#include "shim/engine/amd_trial.h"

#include <errno.h>
#include <fcntl.h>

#include <algorithm>
#include <cstdint>
#include <map>

#include "shim/amd/api.h"
#include "shim/host/descriptor.h"
#include "shim/preload/hooks.h"

namespace ration::engine {
namespace {

using amd::HsaAgent;
using amd::HsaQueue;
using amd::HsaStatus;

constexpr std::uint32_t kPackets = 64;  // the fewest that ROCr makes a queue of
constexpr std::uint32_t kAnyBytes = UINT32_MAX;

constexpr const char* kDeviceFile = "/dev/kfd";
constexpr std::uint32_t kNoQueue = UINT32_MAX;  // the kernel numbers them from 0, up to 1,024

bool has_nothing_against(const amd::Mask& mask, amd::kfd::Ioctl ioctl) {
    const host::Descriptor device(open(kDeviceFile, O_RDWR | O_CLOEXEC));
    if (!device) return false;
    kfd_ioctl_set_cu_mask_args request{};
    request.queue_id = kNoQueue;
    request.num_cu_mask = static_cast<__u32>(mask.size() * 32);
    request.cu_mask_ptr = reinterpret_cast<__u64>(mask.data());
    return ioctl(device.get(), AMDKFD_IOC_SET_CU_MASK, &request) < 0 && errno == EFAULT;
}

// The HSA runtime's own functions.
struct Calls {
    explicit Calls(const ration_front& front)
        : iterate(find<amd::type::hsa_iterate_agents>(front, "hsa_iterate_agents")),
          get_info(find<amd::type::hsa_agent_get_info>(front, "hsa_agent_get_info")),
          create(find<amd::type::hsa_queue_create>(front, "hsa_queue_create")),
          destroy(find<amd::type::hsa_queue_destroy>(front, "hsa_queue_destroy")) {}

    bool complete() const {
        return iterate != nullptr && get_info != nullptr && create != nullptr && destroy != nullptr;
    }

    template <class Function>
    static Function* find(const ration_front& front, const char* name) {
        const auto hsa = static_cast<std::uint32_t>(Library::HSA);
        return reinterpret_cast<Function*>(front.find(hsa, name));
    }

    amd::type::hsa_iterate_agents* const iterate;
    amd::type::hsa_agent_get_info* const get_info;
    amd::type::hsa_queue_create* const create;
    amd::type::hsa_queue_destroy* const destroy;
};

struct Search {
    const Calls& calls;
    const std::uint32_t node;
    HsaAgent agent{};
};

// Called by the runtime, so nothing may be thrown here.
HsaStatus compare_node(HsaAgent agent, void* data) {
    auto& search = *static_cast<Search*>(data);
    std::uint32_t node = 0;
    const HsaStatus status = search.calls.get_info(agent, amd::kHsaAmdAgentInfoDriverNodeId, &node);
    if (status != amd::kHsaSuccess || node != search.node) return amd::kHsaSuccess;
    search.agent = agent;
    return amd::kHsaInfoBreak;
}

void try_queue(const Calls& calls, std::uint32_t node) {
    Search search{calls, node};
    if (calls.iterate(&compare_node, &search) != amd::kHsaInfoBreak) return;
    HsaQueue* queue = nullptr;
    if (calls.create(search.agent, kPackets, amd::kHsaQueueTypeMulti, nullptr, nullptr, kAnyBytes,
                     kAnyBytes, &queue) == amd::kHsaSuccess) {
        calls.destroy(queue);
    }
}

}  // namespace

void try_masks(const ration_front& front, amd::kfd::Ioctl ioctl,
               const std::vector<amd::DeviceLimit>& limits) {
    std::map<unsigned, const amd::DeviceLimit*> generations;
    for (const amd::DeviceLimit& limit : limits) {
        if (!limit.mask.empty()) generations.emplace(limit.gpu.gfx, &limit);
    }
    if (std::all_of(generations.begin(), generations.end(), [&](const auto& generation) {
            return has_nothing_against(generation.second->mask, ioctl);
        })) {
        return;
    }
    const Calls calls(front);
    if (!calls.complete()) return;
    for (const auto& [gfx, limit] : generations) try_queue(calls, limit->gpu.node);
}

}  // namespace ration::engine
