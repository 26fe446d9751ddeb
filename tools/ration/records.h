// Records of GPU processes, as `ps` and `explain --pid` show them.
#pragma once

#include <string>

#include "shim/state/record.h"
#include "tools/ration/output.h"

namespace ration::tool {

// One record with the field names that the manual page promises.
Json to_json(const state::Listed& listed);

// What a record says of a grant, for `explain`.
Json grant_json(const state::Record& record, bool predicted);

// "granted", or "granted, ended" for a process that is gone.
std::string state_text(const state::Listed& listed);

// "GPU-aeb7343f" for "GPU-aeb7343f-2370-...", each of a comma-separated list.
std::string short_devices(const std::string& devices);

}  // namespace ration::tool
