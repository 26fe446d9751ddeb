#include "shim/engine/percentage_mark.h"

#include "shim/engine/log.h"
#include "shim/engine/node_locks.h"

namespace ration::engine {
namespace {

// A context is being made: no call of the program waits longer for a process that was stopped.
constexpr std::chrono::milliseconds kLongestTransaction{500};

}  // namespace

std::optional<cuda::Refusal> PercentageMark::set(const std::string& uuid) {
    state::Taken taken;
    auto& mark = marks_[uuid];
    if (!mark) mark = state::Groups::open(lock_place(), uuid, taken.why);
    if (mark) {
        state::Ask ask;
        ask.what = state::Ask::What::kPercentage;
        taken = mark->take({}, ask, kLongestTransaction);
    }
    if (taken.outcome == state::Taken::Outcome::kTaken) return std::nullopt;
    if (taken.outcome == state::Taken::Outcome::kUnusable) {
        log::write(log::Level::kInfo,
                   "note: others cannot see that this process has a percentage: " + taken.why);
        return std::nullopt;
    }
    return cuda::Refusal{CUDA_ERROR_NOT_PERMITTED,
                         taken.why + ", exclusively, on " + uuid +
                             ": a percentage of MPS may run on any SMs; wait until it ends, or use "
                             "mechanism = \"green\" for groups beside it"};
}

}  // namespace ration::engine
