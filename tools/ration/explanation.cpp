#include "tools/ration/explanation.h"

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "shim/cuda/choose.h"
#include "shim/cuda/visible.h"
#include "tools/ration/amd_explanation.h"
#include "tools/ration/driver_probe.h"
#include "tools/ration/failure.h"
#include "tools/ration/groups.h"
#include "tools/ration/program.h"
#include "tools/ration/remarks.h"
#include "tools/ration/runtime.h"
#include "tools/ration/subjects.h"

namespace ration::tool {
namespace {

constexpr std::chrono::seconds kDriverLimit{30};

Json describe_subject(const policy::Subject& subject) {
    return {{"exe", subject.exe()},
            {"script", subject.script()},
            {"argv", subject.argv()},
            {"uid", subject.uid()},
            {"user", user_name(subject.uid())},
            {"groups", subject.groups()},
            {"cgroup", subject.cgroup()},
            {"host", subject.host()}};
}

cuda::Surroundings surroundings_of(const policy::Environment& environment) {
    return {environment, [](bool with_mig) { return cuda::read_inventory(with_mig); },
            [environment] {
                return cuda::probe_pipes(environment(cuda::kMpsPipeVariable),
                                         runtime_directory(false));
            }};
}

// The driver is asked once, and only for a plan of groups of SMs.
GroupFacts group_facts() {
    const auto driver = std::make_shared<Json>();
    const auto layout = [driver](
                            const std::string& uuid,
                            policy::SmGranularity granularity) -> cuda::Or<cuda::green::Layout> {
        if (driver->is_null()) {
            *driver = probe_driver(kDriverLimit);
        }
        for (const Json& device : (*driver)["devices"]) {
            if (device.value("uuid", std::string()) != uuid) {
                continue;
            }
            if (auto found = layout_of(device, granularity)) {
                return *found;
            }
            return cuda::Refusal{{}, groups_text(device["groups"])};
        }
        const Json& problem = (*driver)["problem"];
        return cuda::Refusal{{},
                             "how the driver divides " + uuid + " is not known: " +
                                 (problem.is_string() ? problem.get<std::string>()
                                                      : "it does not show this device here") +
                                 "; see `ration doctor`"};
    };
    return {layout, holders_of};
}

void add(std::vector<std::string>& to, const std::vector<std::string>& notes) {
    to.insert(to.end(), notes.begin(), notes.end());
}

void explain_amd(Explanation& result, const policy::Subject& subject,
                 const policy::Environment& environment) {
    const std::vector<amd::Gpu> gpus = amd::read_topology();
    if (gpus.empty()) {
        return;
    }
    result.amd = true;
    result.nvidia = !cuda::read_inventory(false).devices.empty();
    result.amd_ruling =
        engine::rule_amd(result.found, subject, {environment, [&] { return gpus; }});
    add(result.notes, result.amd_ruling.plan.notes);
    add(result.notes, pool_notes(result.amd_ruling.plan));
}

cuda::Applied applied_of(policy::Mechanism mechanism) {
    switch (mechanism) {
        case policy::Mechanism::kMps:
            return cuda::Applied::kMps;
        case policy::Mechanism::kMig:
            return cuda::Applied::kMig;
        case policy::Mechanism::kGreen:
            return cuda::Applied::kGreen;
        default:
            return cuda::Applied::kNone;
    }
}

std::optional<MechanismFacts> mechanism_facts(const policy::Decision& decision,
                                              const engine::Ruling& ruling,
                                              const policy::Environment& environment) {
    if (decision.kind != policy::Decision::Kind::kPartition) {
        return std::nullopt;
    }
    const cuda::Plan& plan = ruling.plan;
    const cuda::Choice choice = cuda::choose_mechanism(decision.partition);
    MechanismFacts facts;
    facts.name = cuda::name(plan.applied);
    facts.reason = choice.why;
    if (ruling.kind != engine::Ruling::Kind::kConfined) {
        if (!choice.mechanism) {
            return std::nullopt;
        }
        facts.name = cuda::name(applied_of(*choice.mechanism));
        facts.refused = true;
        return facts;
    }
    facts.counted = plan.counted.has_value();
    if (plan.applied == cuda::Applied::kNone) {
        facts.reason = !facts.counted     ? "neither SMs nor memory are limited"
                       : choice.mechanism ? choice.why + ", and none does"
                                          : choice.why;
    }
    facts.served = plan.green ? plan.green->served : plan.applied == cuda::Applied::kMps;
    if (facts.served) {
        facts.daemon = environment(cuda::kMpsPipeVariable).value_or("");
        for (const host::Edit& edit : plan.temporary) {
            facts.daemon = edit.name == cuda::kMpsPipeVariable ? edit.value : facts.daemon;
        }
    }
    return facts;
}

Explanation explain_subject(const policy::Subject& subject,
                            const policy::Environment& environment) {
    Explanation result;
    result.subject = describe_subject(subject);
    result.found = policy::find(environment);
    for (const policy::Diagnostic& place : result.found.passed_over) {
        result.notes.push_back(policy::format(place));
    }
    const policy::Loaded& loaded = result.found.loaded;
    if (result.found.kind != policy::Found::Kind::kPolicy || !loaded.problems.empty()) {
        return result;
    }
    const cuda::Surroundings surroundings = surroundings_of(environment);
    result.steps = trace_rules(loaded.policy, subject);
    result.decision = policy::decide(loaded.policy, subject);
    add(result.notes, remarks(result.decision.partition));
    explain_amd(result, subject, environment);
    if (!result.nvidia) {
        return result;
    }
    result.ruling = engine::rule(result.found, subject, surroundings);
    result.mechanism = mechanism_facts(result.decision, result.ruling, environment);
    add(result.notes, result.ruling.plan.notes);
    if (result.ruling.kind == engine::Ruling::Kind::kConfined) {
        result.prediction = predict(result.ruling.plan, surroundings.inventory(true),
                                    environment(cuda::kVisibleVariable), group_facts());
        add(result.notes, result.prediction->notes);
    }
    return result;
}

// Those of the process that lives under this number, else of the last one that did.
std::vector<state::Listed> records_of(pid_t pid) {
    std::vector<state::Listed> found;
    for (state::Listed& listed : state::list(runtime_directory(false))) {
        if (listed.record.pid != pid) continue;
        const bool another =
            !found.empty() && found.front().record.start_ticks != listed.record.start_ticks;
        if (another && found.front().live) continue;
        if (another) found.clear();
        found.push_back(std::move(listed));
    }
    return found;
}

}  // namespace

bool is_refused(const Explanation& explanation) {
    return !explanation.ruling.lines.empty() || !explanation.amd_ruling.lines.empty() ||
           !explanation.obstacle.empty() ||
           (explanation.prediction && explanation.prediction->refusal);
}

std::string why_decided(const policy::Decision& decision) {
    if (!decision.chosen_by.empty()) {
        return decision.chosen_by;
    }
    return decision.rule == nullptr ? "no rule matches: no_match" : "rule";
}

Explanation explain_command(const ShareOptions& options, const std::vector<std::string>& command) {
    const policy::Environment environment = changed_environment(changes_of(options));
    if (command.empty()) {
        Explanation result = explain_subject(policy::this_process(), environment);
        result.notes.emplace_back(
            "keys exe, script and argv see ration itself; name a program: "
            "ration explain -- PROG");
        return result;
    }
    const Program program = inspect_program(command);
    if (program.code == kNotFound || program.code == kNotRunnable) {
        throw Failure(kFailed, program.obstacle);
    }
    Explanation result = explain_subject(subject_of_command(program, environment), environment);
    result.obstacle = program.obstacle;
    return result;
}

Explanation explain_process(pid_t pid) {
    std::vector<state::Listed> records = records_of(pid);
    try {
        const KnownSubject subject = subject_of_process(pid);
        Explanation result = explain_subject(
            subject, [&subject](const std::string& name) { return subject.env(name); });
        result.notes.emplace_back("the environment is the one that the process was started with");
        result.records = std::move(records);
        return result;
    } catch (const Failure&) {
        if (records.empty()) {
            throw;
        }
        Explanation result;  // it has ended, or is not ours: its records are all there is
        result.records = std::move(records);
        return result;
    }
}

}  // namespace ration::tool
