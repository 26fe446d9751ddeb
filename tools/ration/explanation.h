// What a process gets and why: gathered first, then told.
#pragma once

#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "shim/engine/amd_ruling.h"
#include "shim/engine/ruling.h"
#include "shim/policy/decide.h"
#include "tools/ration/output.h"
#include "tools/ration/predict.h"
#include "tools/ration/rule_trace.h"
#include "tools/ration/share_options.h"

namespace ration::tool {

// How the share is kept on NVIDIA GPUs.
struct MechanismFacts {
    std::string name;      // "mps", "mig", "green" or "none"
    std::string reason;    // why this one
    bool served = false;   // an MPS daemon answers
    std::string daemon;    // its pipe directory; empty: where the driver looks by itself
    bool refused = false;  // what it would be: the share cannot be had
    bool counted = false;  // ration counts the memory
};

struct Explanation {
    Explanation() = default;
    Explanation(Explanation&&) = default;  // a copy's pointers would lead into the original
    Explanation& operator=(Explanation&&) = default;

    Json subject;         // null: unknown, the record is all there is
    policy::Found found;  // holds the rules that `steps` and `decision` point to
    std::vector<RuleStep> steps;
    policy::Decision decision;
    bool nvidia = true;     // false: this node has AMD GPUs and none of NVIDIA's
    bool amd = false;       // this node has AMD GPUs
    engine::Ruling ruling;  // of NVIDIA GPUs
    engine::AmdRuling amd_ruling;
    std::optional<MechanismFacts> mechanism;  // nullopt: nothing is to be kept there
    std::optional<Prediction> prediction;
    // Of a running process, one for each vendor that it uses: what was really granted.
    std::vector<state::Listed> records;
    std::vector<std::string> notes;
    std::string obstacle;  // why LD_PRELOAD does not reach the program
};

// Of a command that would be started here, or of this process if it is empty. Throws Failure.
Explanation explain_command(const ShareOptions& options, const std::vector<std::string>& command);

// Of a running process, or of one that has ended and left a record. Throws Failure.
Explanation explain_process(pid_t pid);

// Whether a GPU call of the process would be refused.
bool is_refused(const Explanation& explanation);

// "rule", what RATION_USE says, or that no rule matches.
std::string why_decided(const policy::Decision& decision);

std::string explanation_text(const Explanation& explanation);
Json explanation_json(const Explanation& explanation);

}  // namespace ration::tool
