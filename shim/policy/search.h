// Where the policy of this process is.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shim/policy/read.h"

namespace ration::policy {

// getenv(3), or a stand-in: of another process, or of a test.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// The fixed places; tests set others.
struct SitePaths {
    std::string etc = "/etc/ration";  // policy.toml and policy.d/*.toml
    std::string run = "/run/ration";  // policy.d/*.toml, written per job by a root prolog
};

// How the policy was found. Exactly one of the alternatives holds.
struct Found {
    enum class Kind {
        kNone,      // no policy anywhere: nothing is touched
        kDisabled,  // RATION_DISABLE, and no locked site policy
        kPolicy,
    };
    Kind kind = Kind::kNone;
    Loaded loaded;
    std::string origin;  // "RATION_POLICY", "flags", "site", "user": for explain
    bool locked_out = false;  // a locked site policy made us ignore RATION_POLICY, flags or DISABLE
};

// The environment variables by which `ration run` passes its flags on.
inline constexpr const char* kShareVariable = "RATION_SHARE";
inline constexpr const char* kMemoryVariable = "RATION_MEMORY";
inline constexpr const char* kDeviceVariable = "RATION_DEVICE";
inline constexpr const char* kMigVariable = "RATION_MIG";
inline constexpr const char* kNameVariable = "RATION_NAME";

// Order: a locked site policy alone; else RATION_DISABLE; else the flags; else RATION_POLICY
// (a missing or unreadable file is a problem, not "none"); else $XDG_CONFIG_HOME/ration/policy.toml
// ($HOME/.config by default); else the site's files: etc/policy.toml, etc/policy.d/*.toml,
// run/policy.d/*.toml, each folder in lexical order. Never throws.
Found find(const Environment& environment, const SitePaths& paths = {});

// Reads one file as a source. nullopt and a problem if it cannot be read.
std::optional<Source> load(const std::string& file, bool site, Diagnostics& problems);

}  // namespace ration::policy
