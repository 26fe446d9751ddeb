#include "tools/ration/amd_explanation.h"
#include "tools/ration/explanation.h"
#include "tools/ration/records.h"

namespace ration::tool {
namespace {

Json steps_json(const std::vector<RuleStep>& steps) {
    Json list = Json::array();
    for (const RuleStep& step : steps) {
        Json entry{{"file", step.rule->place.file},
                   {"line", step.rule->place.line},
                   {"matched", step.matched}};
        if (!step.matched) {
            entry["key"] = step.key;
            entry["allowed"] = step.allowed;
            entry["found"] = step.found ? Json(*step.found) : Json();
        }
        list.push_back(entry);
    }
    return list;
}

const char* kind_name(policy::Decision::Kind kind) {
    switch (kind) {
        case policy::Decision::Kind::kDeny:
            return "deny";
        case policy::Decision::Kind::kPartition:
            return "partition";
        case policy::Decision::Kind::kError:
            return "error";
        case policy::Decision::Kind::kIgnore:
            break;
    }
    return "ignore";
}

Json decision_json(const policy::Decision& decision) {
    return {{"kind", kind_name(decision.kind)},
            {"partition", decision.partition.name},
            {"pool", decision.pool == nullptr ? Json() : Json(decision.pool->name)},
            {"rank", decision.rank ? Json(*decision.rank) : Json()},
            {"rank_variable", decision.rank_variable},
            {"chosen_by", decision.chosen_by},
            {"why", why_decided(decision)},
            {"file", decision.place.file},
            {"line", decision.place.line},
            {"on_error", decision.on_error == policy::OnError::kWarn ? "warn" : "fail"}};
}

Json driver_environment(const cuda::Plan& plan) {
    Json environment = Json::object();
    for (const host::Edits& edits : {plan.temporary, plan.lasting}) {
        for (const host::Edit& edit : edits) {
            environment[edit.name] = edit.value;
        }
    }
    return environment;
}

const char* kind_name(policy::Found::Kind kind) {
    switch (kind) {
        case policy::Found::Kind::kPolicy:
            return "policy";
        case policy::Found::Kind::kDisabled:
            return "disabled";
        case policy::Found::Kind::kNone:
            break;
    }
    return "none";
}

// What becomes of the process's GPU calls; of both vendors' the worse.
const char* verdict_name(const Explanation& explanation) {
    using Kind = engine::Verdict::Kind;
    const auto any = [&](Kind kind) {
        return (explanation.nvidia && explanation.ruling.kind == kind) ||
               (explanation.amd && explanation.amd_ruling.kind == kind);
    };
    if (any(Kind::kRefused) || (explanation.prediction && explanation.prediction->refusal)) {
        return "refused";
    }
    if (any(Kind::kUnshared)) {
        return "unshared";
    }
    return any(Kind::kConfined) ? "confined" : "untouched";
}

Json mechanism_json(const std::optional<MechanismFacts>& facts) {
    if (!facts) {
        return nullptr;
    }
    return {{"name", facts->name},
            {"reason", facts->reason},
            {"daemon_answers", facts->served},
            {"daemon", facts->daemon.empty() ? Json() : Json(facts->daemon)},
            {"memory_counted", facts->counted}};
}

}  // namespace

Json explanation_json(const Explanation& explanation) {
    Json result{{"subject", explanation.subject},
                {"policy", explanation.found.loaded.policy.files},
                {"policy_kind", kind_name(explanation.found.kind)},
                {"origin", explanation.found.origin},
                {"locked_out", explanation.found.locked_out},
                {"rules", steps_json(explanation.steps)},
                {"decision", decision_json(explanation.decision)},
                {"verdict", verdict_name(explanation)},
                {"mechanism", mechanism_json(explanation.mechanism)},
                {"driver_environment", driver_environment(explanation.ruling.plan)},
                {"grant", nullptr},
                {"refusals", explanation.ruling.lines},
                {"amd", nullptr},
                {"notes", explanation.notes},
                {"obstacle", explanation.obstacle},
                {"records", Json::array()}};
    if (explanation.prediction && !explanation.prediction->refusal) {
        result["grant"] = grant_json(explanation.prediction->record, true);
    } else if (explanation.prediction) {
        result["refusals"].push_back(*explanation.prediction->refusal);
    }
    if (explanation.amd) {
        result["amd"] = amd_explanation(explanation.amd_ruling);
    }
    if (!explanation.nvidia) {
        result["grant"] = result["amd"]["grant"];
        result["refusals"] = result["amd"]["refusals"];
    }
    for (const state::Listed& each : explanation.records) {
        result["records"].push_back(to_json(each));
        if (each.record.state == state::State::kGranted) {
            result["grant"] = grant_json(each.record, false);
        }
    }
    return result;
}

}  // namespace ration::tool
