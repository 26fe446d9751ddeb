#include <fmt/core.h>

#include "tools/ration/amd_explanation.h"
#include "tools/ration/explanation.h"
#include "tools/ration/records.h"
#include "tools/ration/runtime.h"

namespace ration::tool {
namespace {

std::string line(const char* label, const std::string& text) {
    return fmt::format("{:<12}{}\n", label, printable(text));
}

std::string place_text(const policy::Place& place) {
    return place.line == 0 ? place.file : fmt::format("{}:{}", place.file, place.line);
}

std::string quoted_list(const std::vector<std::string>& items) {
    std::string text;
    for (const std::string& item : items) {
        text += (text.empty() ? "\"" : ", \"") + item + "\"";
    }
    return text;
}

// Long arguments would hide the rest.
std::string shortened(const std::string& text) {
    constexpr std::size_t kMost = 200;
    return text.size() <= kMost ? text : text.substr(0, kMost) + "...";
}

std::string policy_text(const policy::Found& found) {
    std::string files;
    for (const std::string& file : found.loaded.policy.files) {
        files += (files.empty() ? "" : ", ") + file;
    }
    switch (found.kind) {
        case policy::Found::Kind::kNone:
            return line("policy", "none found: nothing is touched");
        case policy::Found::Kind::kDisabled:
            return line("policy", "switched off by RATION_DISABLE: nothing is touched");
        case policy::Found::Kind::kPolicy:
            break;
    }
    std::string text =
        line("policy", files.empty() ? found.origin : files + " (" + found.origin + ")");
    if (found.locked_out) {
        text += line("", "locked by the site: RATION_POLICY, RATION_DISABLE and flags are ignored");
    }
    return text;
}

std::string step_text(const RuleStep& step) {
    const std::string place = place_text(step.rule->place);
    if (step.matched) {
        return line("rule", place + ": matches");
    }
    const std::string found = step.found ? '"' + shortened(*step.found) + '"' : "not set";
    return line("rule", fmt::format("{}: no: {} is {}, wanted {}", place, step.key, found,
                                    quoted_list(step.allowed)));
}

std::string decision_text(const policy::Decision& decision) {
    const std::string why = why_decided(decision);
    switch (decision.kind) {
        case policy::Decision::Kind::kIgnore:
            return line("decision", "ignore (" + why + "): nothing is touched");
        case policy::Decision::Kind::kDeny:
            return line("decision", "deny (" + why + ")");
        case policy::Decision::Kind::kError:
            return line("decision", "an error");
        case policy::Decision::Kind::kPartition:
            break;
    }
    std::string text = line("decision", decision.partition.name + " (" + why + ")");
    if (decision.rank) {
        text += line("slot", fmt::format("{}, from {}", *decision.rank, decision.rank_variable));
    }
    return text;
}

std::string daemon_text(const MechanismFacts& facts) {
    if (facts.served) {
        return facts.daemon.empty() ? "; a daemon answers"
                                    : "; a daemon answers at " + facts.daemon;
    }
    return facts.name == "green" ? "; no MPS daemon answers, so processes take turns on the GPU"
                                 : "";
}

std::string mechanism_text(const MechanismFacts& facts) {
    std::string text = facts.name + ": " + facts.reason;
    if (!facts.refused) {
        text += daemon_text(facts);
    }
    return line("mechanism", text + (facts.counted ? "; ration counts the memory" : ""));
}

std::string plan_text(const cuda::Plan& plan) {
    std::string text;
    for (const host::Edits& edits : {plan.temporary, plan.lasting}) {
        for (const host::Edit& edit : edits) {
            text += line("driver sees", edit.name + "=" + edit.value);
        }
    }
    return text;
}

// Of a verdict without a prediction.
std::string verdict_line(const engine::Verdict& verdict) {
    if (verdict.lines.empty()) {
        return "not confined: the whole GPU";
    }
    const bool runs = verdict.kind == engine::Verdict::Kind::kUnshared;
    return (runs ? "unshared: " : "refused: ") + verdict.lines.front();
}

std::string nvidia_line(const Explanation& explanation) {
    if (explanation.prediction) {
        return explanation.prediction->refusal
                   ? "refused: " + *explanation.prediction->refusal
                   : "predicted: " + cuda::grant_line(explanation.prediction->record);
    }
    return verdict_line(explanation.ruling);
}

std::string amd_line(const engine::AmdRuling& ruling) {
    const Json grant = amd_explanation(ruling)["grant"];
    return grant.is_null() ? verdict_line(ruling)
                           : "predicted: " + grant["line"].get<std::string>();
}

std::string recorded_line(const state::Record& record) {
    return record.state == state::State::kGranted
               ? cuda::grant_line(record)
               : fmt::format("{}: {}", state::name(record.state), printable(record.why));
}

std::string recorded_lines(const std::vector<state::Listed>& records) {
    std::string text;
    for (const state::Listed& each : records) {
        text += (text.empty() ? "" : "\n") + recorded_line(each.record);
    }
    return text;
}

// The last line, one for each vendor whose GPUs are here: the grant, or why there is none.
std::string last_lines(const Explanation& explanation) {
    if (!explanation.records.empty()) {
        return recorded_lines(explanation.records);
    }
    if (!explanation.amd) {
        return nvidia_line(explanation);
    }
    const std::string amd = amd_line(explanation.amd_ruling);
    return explanation.nvidia ? "NVIDIA: " + nvidia_line(explanation) + "\nAMD: " + amd : amd;
}

}  // namespace

std::string explanation_text(const Explanation& explanation) {
    std::string text;
    if (!explanation.subject.is_null()) {
        const Json& subject = explanation.subject;
        text += line("exe", subject["exe"].get<std::string>());
        text += line("argv", shortened(subject["argv"].get<std::string>()));
        text += policy_text(explanation.found);
        for (const RuleStep& step : explanation.steps) {
            text += step_text(step);
        }
        if (explanation.found.kind == policy::Found::Kind::kPolicy) {
            text += decision_text(explanation.decision);
        }
    }
    if (explanation.mechanism) {
        text += mechanism_text(*explanation.mechanism);
    }
    if (explanation.prediction) {
        text += plan_text(explanation.ruling.plan);
    }
    if (explanation.amd) {
        text += amd_explanation_text(amd_explanation(explanation.amd_ruling));
    }
    for (const std::string& note : explanation.notes) {
        text += line("note", note);
    }
    if (!explanation.obstacle.empty()) {
        text += line("problem", explanation.obstacle);
    }
    for (const state::Listed& each : explanation.records) {
        text += line("record", state_text(each) + ", " + local_time(each.record.started) +
                                   ", rule " + each.record.policy);
    }
    return text + last_lines(explanation) + "\n";
}

}  // namespace ration::tool
