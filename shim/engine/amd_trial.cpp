#include "shim/engine/amd_trial.h"

#include <cstdint>
#include <set>

#include "shim/amd/api.h"
#include "shim/preload/hooks.h"

namespace ration::engine {
namespace {

using amd::HsaAgent;
using amd::HsaQueue;
using amd::HsaStatus;

constexpr std::uint32_t kPackets = 64;  // the fewest that ROCr makes a queue of
constexpr std::uint32_t kAnyBytes = UINT32_MAX;

// The HSA runtime's own functions.
struct Calls {
    explicit Calls(const ration_front& front)
        : iterate(find<amd::type::hsa_iterate_agents>(front, "hsa_iterate_agents")),
          get_info(find<amd::type::hsa_agent_get_info>(front, "hsa_agent_get_info")),
          create(find<amd::type::hsa_queue_create>(front, "hsa_queue_create")) {}

    bool complete() const { return iterate != nullptr && get_info != nullptr && create != nullptr; }

    template <class Function>
    static Function* find(const ration_front& front, const char* name) {
        const auto hsa = static_cast<std::uint32_t>(Library::HSA);
        return reinterpret_cast<Function*>(front.find(hsa, name));
    }

    amd::type::hsa_iterate_agents* const iterate;
    amd::type::hsa_agent_get_info* const get_info;
    amd::type::hsa_queue_create* const create;
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
    // An APU's processor is of the same node.
    std::uint32_t device = 0;
    if (search.calls.get_info(agent, amd::kHsaAgentInfoDevice, &device) != amd::kHsaSuccess ||
        device != amd::kHsaDeviceTypeGpu) {
        return amd::kHsaSuccess;
    }
    search.agent = agent;
    return amd::kHsaInfoBreak;
}

void try_queue(const Calls& calls, std::uint32_t node) {
    Search search{calls, node};
    if (calls.iterate(&compare_node, &search) != amd::kHsaInfoBreak) return;
    HsaQueue* queue = nullptr;
    calls.create(search.agent, kPackets, amd::kHsaQueueTypeMulti, nullptr, nullptr, kAnyBytes,
                 kAnyBytes, &queue);
}

}  // namespace

void try_masks(const ration_front& front, const amd::Plan& plan) {
    const Calls calls(front);
    if (!calls.complete()) return;
    std::set<unsigned> generations;
    for (const std::size_t place : plan.hip_devices) {
        const amd::DeviceLimit& limit = plan.devices[place];
        if (limit.mask.empty() || !generations.insert(limit.gpu.gfx).second) continue;
        try_queue(calls, limit.gpu.node);
    }
}

}  // namespace ration::engine
