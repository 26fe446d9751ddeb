// The AMD GPUs of this node, for doctor and explain: as JSON and, from that, as text.
#pragma once

#include <string>

#include "shim/amd/topology.h"
#include "tools/ration/node_facts.h"
#include "tools/ration/output.h"

namespace ration::tool {

// {driver_module, device, accessible, gpus: [...], variables: [{name, value}]}
Json amd_facts(Findings& findings);
std::string amd_facts_text(const Json& facts);

// {index, kfd_node, rocr_index, name, gfx, uuid, pci, partition, cus, xccs, engines, ...}
Json gpu_json(const amd::Gpu& gpu);

// Of a JSON string; "-" for null.
std::string text_of(const Json& value);

}  // namespace ration::tool
