// What a failed context means for somebody who has a share.
#pragma once

#include <optional>
#include <string>

#include "shim/cuda/api.h"
#include "shim/cuda/grant.h"

namespace ration::cuda {

// The line to say, or nullopt: the error has nothing to do with the share.
std::optional<std::string> explain_context_error(CUresult code, const Grant& grant);

}  // namespace ration::cuda
