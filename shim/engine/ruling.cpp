#include "shim/engine/ruling.h"

namespace ration::engine {
namespace {

using policy::Decision;

// A share that cannot be had does not make the process pile up on another's device.
void narrow_devices_all_the_same(Ruling& ruling, const Decision& decision,
                                 const cuda::Surroundings& surroundings) {
    policy::Partition devices;
    devices.devices = decision.partition.devices;
    devices.override_visible = decision.partition.override_visible;
    const auto plan = cuda::make_plan(devices, nullptr, surroundings);
    if (const auto* made = std::get_if<cuda::Plan>(&plan)) ruling.plan.lasting = made->lasting;
}

void confine(Ruling& ruling, const Decision& decision, const cuda::Surroundings& surroundings) {
    ruling.record.asked = cuda::asked_text(decision.partition);
    auto plan = cuda::make_plan(decision.partition, decision.pool, surroundings);
    if (auto* made = std::get_if<cuda::Plan>(&plan)) {
        ruling.kind = Ruling::Kind::kConfined;
        ruling.plan = std::move(*made);
        return;
    }
    const cuda::Refusal& refusal = std::get<cuda::Refusal>(plan);
    const bool of_the_policy = refusal.code != CUDA_ERROR_MPS_CONNECTION_FAILED;
    ruling.fail({of_the_policy ? format(policy::Diagnostic{decision.partition.place, refusal.line})
                               : refusal.line});
    if (ruling.kind == Ruling::Kind::kRefused) ruling.code = refusal.code;
    if (ruling.kind == Ruling::Kind::kUnshared && !decision.partition.devices.empty()) {
        narrow_devices_all_the_same(ruling, decision, surroundings);
    }
}

}  // namespace

Ruling rule(const policy::Found& found, const policy::Subject& subject,
            const cuda::Surroundings& surroundings) {
    Ruling ruling;
    if (const auto decision = judge(found, subject, ruling)) {
        confine(ruling, *decision, surroundings);
    } else if (ruling.kind == Ruling::Kind::kRefused) {
        ruling.code = ruling.denied ? CUDA_ERROR_NO_DEVICE : CUDA_ERROR_NOT_PERMITTED;
    }
    return ruling;
}

}  // namespace ration::engine
