// What is to become of this process: policy, identity and surroundings in, one value out.
#pragma once

#include <string>
#include <vector>

#include "shim/cuda/plan.h"
#include "shim/policy/decide.h"
#include "shim/policy/search.h"
#include "shim/policy/subject.h"
#include "shim/state/record.h"

namespace ration::engine {

struct Ruling {
    enum class Kind {
        kUntouched,  // no policy, or it ignores this process: no hook, no record
        kConfined,   // `plan` is to be carried out
        kUnshared,   // on_error = "warn": `lines` are said, devices of `plan` narrowed, no hook
        kRefused,    // every hooked call answers `code`; `lines` are said
    };
    Kind kind = Kind::kUntouched;
    policy::OnError on_error = policy::OnError::kFail;
    CUresult code = CUDA_SUCCESS;
    std::vector<std::string> lines;
    cuda::Plan plan;
    state::Record record;  // what is known so far; state and why are set
};

// Pure but for its arguments.
Ruling rule(const policy::Found& found, const policy::Subject& subject,
            const cuda::Surroundings& surroundings);

// At most this many mistakes of a policy are said in a program; then "... and N more".
inline constexpr unsigned kMostLines = 5;

}  // namespace ration::engine
