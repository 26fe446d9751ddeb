#include "shim/cuda/affinity.h"

#include <algorithm>

#include "shim/policy/decide.h"

namespace ration::cuda {
namespace {

bool reaches(const CUexecAffinityParam& parameter, unsigned granted) {
    if (parameter.type != CU_EXEC_AFFINITY_TYPE_SM_COUNT) return false;
    const unsigned asked = parameter.param.smCount.val;
    const auto [unit, minimum] = policy::kMpsGranularity;
    return asked != 0 && (asked >= granted || std::max(asked + asked % unit, minimum) >= granted);
}

}  // namespace

std::vector<CUexecAffinityParam> within_grant(const CUexecAffinityParam* parameters, int count,
                                              unsigned granted) {
    std::vector<CUexecAffinityParam> kept;
    std::copy_if(
        parameters, parameters + count, std::back_inserter(kept),
        [&](const CUexecAffinityParam& parameter) { return !reaches(parameter, granted); });
    return kept;
}

}  // namespace ration::cuda
