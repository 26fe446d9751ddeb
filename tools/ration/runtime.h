// The runtime directory of the calling user, as every subcommand sees it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "shim/state/record.h"
#include "tools/ration/output.h"

namespace ration::tool {

// RATION_RUNTIME_DIR, /run/ration or the user's own. With `create` the user's part is made.
state::RuntimeDirectory runtime_directory(bool create);

// "/run/ration (system)", or why there is none.
std::string describe(const state::RuntimeDirectory& directory);
Json to_json(const state::RuntimeDirectory& directory);

// The user's name, or the number if there is none.
std::string user_name(uid_t uid);

// "2 GiB", "1.5 GiB", "300 MiB": one decimal where it is needed.
std::string size_text(std::uint64_t bytes);

// Local time, "2026-11-22 15:53:07"; as ISO 8601 in UTC, "2026-11-22T15:53:07Z", for JSON.
std::string local_time(std::int64_t seconds);
std::string utc_time(std::int64_t seconds);

}  // namespace ration::tool
