// Where the policy of this process is.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shim/policy/read.h"
#include "shim/policy/sources.h"

namespace ration::policy {

// getenv(3), or a stand-in: of another process, or of a test.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// The fixed places; tests set others.
struct SitePaths {
    std::string etc = kEtcFolder;
    std::string run = kRunFolder;
    uid_t owner = 0;  // whose these folders and files must be
    gid_t group = 0;  // who besides may be able to write to them
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
    std::string origin;       // "RATION_POLICY", "flags", "site", "user": for explain
    bool locked_out = false;  // a locked site policy made us ignore RATION_POLICY, flags or DISABLE
    Diagnostics passed_over;  // places that do not count, and why: for explain and check
};

// Order: a locked site policy alone; else RATION_DISABLE; else the flags; else RATION_POLICY
// (a missing or unreadable file is a problem, not "none"); else $XDG_CONFIG_HOME/ration/policy.toml
// ($HOME/.config by default); else the site's files: etc/policy.toml, etc/policy.d/*.toml,
// run/policy.d/*.toml, each folder in lexical order. Never throws.
//
// A site policy is locked if one of its files says `locked = true`, other mistakes in it or not; if
// a file with mistakes has the word outside of comments and does not plainly say false; if a file
// cannot be read at all, belongs to somebody else than root, or lies in a folder of etc that does;
// or if everyone or a group other than root's may write to one of them: who may write may have
// taken the lock out. Then its
// problems are the result: a slip in a locked policy must not open it. A site file that plainly
// does not lock, broken or not, is what everybody may overrule anyway, and must not stand in the
// way of those who do.
Found find(const Environment& environment, const SitePaths& paths = {});

// As what a file is read.
enum class Standing {
    kUser,   // anybody's
    kSite,   // a site's, which lies elsewhere yet: everyone may not write to it
    kPlace,  // a site's, where it counts: it must be root's, and nobody else may write to it
};

// Reads one regular file as a source. nullopt, a problem and errno if it cannot be read.
std::optional<Source> load(const std::string& file, Standing standing, Diagnostics& problems,
                           const SitePaths& paths = {});

// Whether a file lies where site policies lie, by its path as written.
bool is_site_file(const std::string& file, const SitePaths& paths = {});

// What is wrong with the folders that a site file lies in: find() says it of the whole policy, or
// passes the file over for it.
Diagnostics folder_problems(const std::string& file, const SitePaths& paths = {});

}  // namespace ration::policy
