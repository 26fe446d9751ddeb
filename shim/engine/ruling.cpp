#include "shim/engine/ruling.h"

namespace ration::engine {
namespace {

using policy::Decision;
using policy::OnError;

std::string base_name(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string command_of(const policy::Subject& subject) {
    const std::string script = base_name(subject.script());
    const std::string exe = base_name(subject.exe());
    return script.empty() ? exe : exe + " " + script;
}

std::string line_of(const policy::Place& place) {
    if (place.line == 0) return place.file;
    return place.file + ":" + std::to_string(place.line);
}

// The share cannot be had: `code` and `lines`, or a warning where the policy prefers that.
void fail(Ruling& ruling, CUresult code, std::vector<std::string> lines) {
    ruling.lines = std::move(lines);
    ruling.record.why = ruling.lines.front();
    if (ruling.on_error == OnError::kFail) {
        ruling.kind = Ruling::Kind::kRefused;
        ruling.code = code;
        ruling.record.state = state::State::kRefused;
        return;
    }
    ruling.kind = Ruling::Kind::kUnshared;
    ruling.record.state = state::State::kUnshared;
    ruling.lines.back() += "; runs without a share, as on_error = \"warn\" says";
}

void fail_by_mistakes(Ruling& ruling, const policy::Diagnostics& problems) {
    std::vector<std::string> lines;
    for (const policy::Diagnostic& problem : problems) {
        if (lines.size() == kMostLines) break;
        lines.push_back(format(problem));
    }
    if (problems.size() > kMostLines) {
        lines.push_back("... and " + std::to_string(problems.size() - kMostLines) +
                        " more: ration check " + problems.front().place.file);
    }
    fail(ruling, CUDA_ERROR_NOT_PERMITTED, std::move(lines));
}

void deny(Ruling& ruling, const Decision& decision) {
    ruling.kind = Ruling::Kind::kRefused;
    ruling.code = CUDA_ERROR_NO_DEVICE;
    ruling.record.state = state::State::kDenied;
    ruling.lines = {format(policy::Diagnostic{
        decision.place,
        "this process may not use the GPU (use = \"deny\"): ask whoever keeps the "
        "policy"})};
    ruling.record.why = ruling.lines.front();
}

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
    ruling.record.partition = decision.partition.name;
    ruling.record.asked = cuda::asked_text(decision.partition);
    auto plan = cuda::make_plan(decision.partition, decision.pool, surroundings);
    if (auto* made = std::get_if<cuda::Plan>(&plan)) {
        ruling.kind = Ruling::Kind::kConfined;
        ruling.plan = std::move(*made);
        return;
    }
    const cuda::Refusal& refusal = std::get<cuda::Refusal>(plan);
    const bool of_the_policy = refusal.code != CUDA_ERROR_MPS_CONNECTION_FAILED;
    fail(ruling, refusal.code,
         {of_the_policy ? format(policy::Diagnostic{decision.partition.place, refusal.line})
                        : refusal.line});
    if (ruling.kind == Ruling::Kind::kUnshared && !decision.partition.devices.empty()) {
        narrow_devices_all_the_same(ruling, decision, surroundings);
    }
}

}  // namespace

Ruling rule(const policy::Found& found, const policy::Subject& subject,
            const cuda::Surroundings& surroundings) {
    Ruling ruling;
    if (found.kind != policy::Found::Kind::kPolicy) return ruling;
    ruling.record.command = command_of(subject);
    const policy::Loaded& loaded = found.loaded;
    if (!loaded.problems.empty()) {
        ruling.on_error = loaded.policy.on_error;
        ruling.record.policy = line_of(loaded.problems.front().place);
        fail_by_mistakes(ruling, loaded.problems);
        return ruling;
    }
    const Decision decision = policy::decide(loaded.policy, subject);
    ruling.on_error = decision.on_error;
    ruling.record.policy = line_of(decision.place);
    switch (decision.kind) {
        case Decision::Kind::kIgnore:
            break;
        case Decision::Kind::kDeny:
            deny(ruling, decision);
            break;
        case Decision::Kind::kError:
            ruling.record.partition = decision.partition.name;
            fail(ruling, CUDA_ERROR_NOT_PERMITTED,
                 {format(policy::Diagnostic{decision.place, decision.error})});
            break;
        case Decision::Kind::kPartition:
            confine(ruling, decision, surroundings);
            break;
    }
    return ruling;
}

}  // namespace ration::engine
