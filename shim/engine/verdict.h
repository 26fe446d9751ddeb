// What the policy says of this process, whichever vendor's library asks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shim/policy/decide.h"
#include "shim/policy/search.h"
#include "shim/policy/subject.h"
#include "shim/state/record.h"

namespace ration::engine {

struct Verdict {
    enum class Kind {
        kUntouched,  // no policy, or it ignores this process: no hook, no record
        kConfined,   // the plan is to be carried out
        kUnshared,   // on_error = "warn": `lines` are said, devices of the plan narrowed, no hook
        kRefused,    // every hooked call fails; `lines` are said
    };
    Kind kind = Kind::kUntouched;
    policy::OnError on_error = policy::OnError::kFail;
    bool denied = false;  // kRefused by use = "deny"
    std::vector<std::string> lines;
    state::Record record;  // what is known so far; state and why are set

    // The share cannot be had: kRefused, or kUnshared where the policy prefers a warning.
    void fail(std::vector<std::string> why);
};

// Pure but for its arguments. The decision, if a mechanism is to carry it out; else `verdict` says
// what becomes of the process.
std::optional<policy::Decision> judge(const policy::Found& found, const policy::Subject& subject,
                                      Verdict& verdict);

// At most this many mistakes of a policy are said in a program; then "... and N more".
inline constexpr unsigned kMostLines = 5;

}  // namespace ration::engine
