// What doctor finds out about this node, section by section, with the field names of --json.
#pragma once

#include <string>
#include <vector>

#include "tools/ration/output.h"

namespace ration::tool {

// One thing that keeps programs from being confined, or that is worth knowing.
struct Finding {
    bool problem = false;
    std::string text;  // what is wrong and what to do
};
using Findings = std::vector<Finding>;

// {kernel, driver_module, device_nodes, no_new_privs}
Json kernel_facts();

// {devices: [...], mig_instances: [...], problem}: what NVML says of all GPUs of the node.
Json nvml_facts();

// {control_program, daemons: [{pipe_directory, origin, state, pid, user}]}
Json mps_facts(Findings& findings);

// {path} or {path: null, problem}: the libration.so that `run` would preload.
Json library_facts(Findings& findings);

// {kind, origin, files, locked_out, problems}: the policy that a program started here would follow.
Json policy_facts(Findings& findings);

// {path, interpreters, loaded, reached, obstacle, cuda, needed}: one program.
Json binary_facts(const std::string& name, Findings& findings);

// {file, exported, hooked, missing, unhooked, unknown, harmless}: one driver library.
Json audit_facts(const std::string& file, Findings& findings);

}  // namespace ration::tool
