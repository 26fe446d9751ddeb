// What a process gets of AMD GPUs, for explain: as JSON and, from that, as text.
#pragma once

#include <string>
#include <vector>

#include "shim/engine/amd_ruling.h"
#include "tools/ration/output.h"

namespace ration::tool {

// {environment, devices: [...], pool: [...], grant, refusals}; grant is null if there is none.
Json amd_explanation(const engine::AmdRuling& ruling);
std::string amd_explanation_text(const Json& explanation);

// What is worth knowing of a pool: CUs that stay idle, and the partition mode that would leave
// none.
std::vector<std::string> pool_notes(const amd::Plan& plan);

}  // namespace ration::tool
