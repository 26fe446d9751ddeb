#include "shim/engine/verdict.h"

#include "shim/host/file.h"

namespace ration::engine {
namespace {

using policy::Decision;
using policy::OnError;

std::string command_of(const policy::Subject& subject) {
    const std::string script(host::base_name(subject.script()));
    const std::string exe(host::base_name(subject.exe()));
    return script.empty() ? exe : exe + " " + script;
}

std::string line_of(const policy::Place& place) {
    if (place.line == 0) return place.file;
    return place.file + ":" + std::to_string(place.line);
}

void fail_by_mistakes(Verdict& verdict, const policy::Diagnostics& problems) {
    std::vector<std::string> lines;
    for (const policy::Diagnostic& problem : problems) {
        if (lines.size() == kMostLines) break;
        lines.push_back(format(problem));
    }
    if (problems.size() > kMostLines) {
        lines.push_back("... and " + std::to_string(problems.size() - kMostLines) +
                        " more: ration check " + problems.front().place.file);
    }
    verdict.fail(std::move(lines));
}

void deny(Verdict& verdict, const Decision& decision) {
    verdict.kind = Verdict::Kind::kRefused;
    verdict.denied = true;
    verdict.record.state = state::State::kDenied;
    verdict.lines = {format(policy::Diagnostic{
        decision.place,
        "this process may not use the GPU (use = \"deny\"): ask whoever keeps the "
        "policy"})};
    verdict.record.why = verdict.lines.front();
}

}  // namespace

void Verdict::fail(std::vector<std::string> why) {
    lines = std::move(why);
    record.why = lines.front();
    if (on_error == OnError::kFail) {
        kind = Kind::kRefused;
        record.state = state::State::kRefused;
        return;
    }
    kind = Kind::kUnshared;
    record.state = state::State::kUnshared;
    lines.back() += "; runs without a share, as on_error = \"warn\" says";
}

std::optional<Decision> judge(const policy::Found& found, const policy::Subject& subject,
                              Verdict& verdict) {
    if (found.kind != policy::Found::Kind::kPolicy) return std::nullopt;
    verdict.record.command = command_of(subject);
    const policy::Loaded& loaded = found.loaded;
    if (!loaded.problems.empty()) {
        verdict.on_error = loaded.policy.on_error;
        verdict.record.policy = line_of(loaded.problems.front().place);
        fail_by_mistakes(verdict, loaded.problems);
        return std::nullopt;
    }
    Decision decision = policy::decide(loaded.policy, subject);
    verdict.on_error = decision.on_error;
    verdict.record.policy = line_of(decision.place);
    switch (decision.kind) {
        case Decision::Kind::kIgnore:
            break;
        case Decision::Kind::kDeny:
            deny(verdict, decision);
            break;
        case Decision::Kind::kError:
            verdict.record.partition = decision.partition.name;
            verdict.fail({format(policy::Diagnostic{decision.place, decision.error})});
            break;
        case Decision::Kind::kPartition:
            verdict.record.partition = decision.partition.name;
            return decision;
    }
    return std::nullopt;
}

}  // namespace ration::engine
