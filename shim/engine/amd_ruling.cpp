#include "shim/engine/amd_ruling.h"

namespace ration::engine {
namespace {

using policy::Decision;

// A share that cannot be had does not make the process pile up on another's device.
void narrow_devices_all_the_same(AmdRuling& ruling, const Decision& decision,
                                 const amd::Surroundings& surroundings) {
    policy::Partition devices;
    devices.devices = decision.partition.devices;
    devices.override_visible = decision.partition.override_visible;
    const auto plan = amd::make_plan(devices, nullptr, surroundings);
    if (const auto* made = std::get_if<amd::Plan>(&plan)) ruling.plan.lasting = made->lasting;
}

void confine(AmdRuling& ruling, const Decision& decision, const amd::Surroundings& surroundings) {
    ruling.record.asked = amd::asked_text(decision.partition);
    auto plan = amd::make_plan(decision.partition, decision.pool, surroundings);
    if (auto* made = std::get_if<amd::Plan>(&plan)) {
        ruling.kind = AmdRuling::Kind::kConfined;
        ruling.plan = std::move(*made);
        return;
    }
    ruling.fail(
        {format(policy::Diagnostic{decision.partition.place, std::get<amd::Refusal>(plan).line})});
    if (ruling.kind == AmdRuling::Kind::kUnshared && !decision.partition.devices.empty()) {
        narrow_devices_all_the_same(ruling, decision, surroundings);
    }
}

}  // namespace

AmdRuling rule_amd(const policy::Found& found, const policy::Subject& subject,
                   const amd::Surroundings& surroundings) {
    AmdRuling ruling;
    const std::vector<amd::Gpu> gpus = surroundings.topology();
    if (gpus.empty()) return ruling;
    if (const auto decision = judge(found, subject, ruling)) {
        confine(ruling, *decision, {surroundings.environment, [&] { return gpus; }});
    }
    return ruling;
}

}  // namespace ration::engine
