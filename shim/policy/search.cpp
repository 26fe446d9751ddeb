#include "shim/policy/search.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "shim/host/file.h"
#include "shim/host/user_namespace.h"
#include "shim/policy/guard.h"

namespace ration::policy {
namespace {

using host::read_regular_file;

constexpr const char* kDisableVariable = "RATION_DISABLE";

bool within(const std::string& file, const std::string& folder) {
    return file.compare(0, folder.size() + 1, folder + '/') == 0;
}

bool is_missing(int error) { return error == ENOENT || error == ENOTDIR; }

std::string reason(int error) {
    if (error == EISDIR) return "it is a folder";
    if (error == ENODEV) return "it is not a regular file";
    char buffer[128] = {};
    return strerror_r(error, buffer, sizeof buffer);  // the GNU one, which returns the text
}

void cannot_read(const std::string& path, int error, Diagnostics& problems) {
    problems.push_back({{path, 0, 0}, "cannot read the policy: " + reason(error)});
}

bool belongs(uid_t owner, uid_t wanted) { return owner == wanted || host::is_unmapped_user(owner); }

constexpr const char* kByEveryone = "is writable by everyone";

// By whom a file or folder of the site could have been changed, besides root; empty: by nobody.
std::string weakness(mode_t mode, uid_t owner, gid_t group, const SitePaths& paths) {
    if ((mode & S_IWOTH) != 0) return kByEveryone;
    if ((mode & S_IWGRP) != 0 && group != paths.group && !host::is_unmapped_group(group)) {
        return "is writable by a group";
    }
    return belongs(owner, paths.owner) ? "" : "belongs to somebody else";
}

std::string weakness(const struct stat& status, const SitePaths& paths) {
    return weakness(status.st_mode, status.st_uid, status.st_gid, paths);
}

// The sources of one place, and whether one of them could not be read.
struct Sources {
    std::vector<Source> found;
    Diagnostics problems;
    Diagnostics passed_over;
    bool open_to_others = false;  // somebody else than root could have changed one

    void add_site(const std::string& path, const SitePaths& paths) {
        const std::size_t before = found.size();
        add(path, Standing::kPlace, false, paths);
        if (found.size() == before) return;
        open_to_others = open_to_others || !found.back().weakness.empty();  // read() says so
    }

    // A home that this process may not look into is as none: root's, in a container that runs as
    // somebody else. A file that is seen there and may not be read is a problem.
    void add_user(const std::string& path) {
        struct stat status {};
        if (stat(path.c_str(), &status) != 0 && errno == EACCES) {
            passed_over.push_back({{path, 0, 0}, "passed over: " + reason(EACCES)});
            return;
        }
        add(path, Standing::kUser, false);
    }

    // A missing file is a problem only if it was asked for by name.
    void add(const std::string& path, Standing standing, bool wanted, const SitePaths& paths = {}) {
        errno = 0;
        Diagnostics trouble;
        auto source = load(path, standing, trouble, paths);
        if (source) found.push_back(std::move(*source));
        if (!source && (wanted || !is_missing(errno))) {
            problems.insert(problems.end(), trouble.begin(), trouble.end());
        }
    }

    bool any() const { return !found.empty() || !problems.empty(); }

    Loaded read() {
        Loaded loaded = policy::read(found);
        loaded.problems.insert(loaded.problems.begin(), problems.begin(), problems.end());
        return loaded;
    }
};

// The *.toml of a folder in lexical order. errno if it cannot be read.
std::vector<std::string> list(const std::string& folder) {
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR*)> open(opendir(folder.c_str()), closedir);
    if (!open) return names;
    errno = 0;
    while (const dirent* entry = readdir(open.get())) {
        const std::string name = entry->d_name;
        constexpr std::string_view kSuffix = ".toml";
        const bool policy =
            name.size() > kSuffix.size() && name.front() != '.' &&
            name.compare(name.size() - kSuffix.size(), kSuffix.size(), kSuffix) == 0;
        if (policy) names.push_back(folder + '/' + name);
    }
    const int error = errno;
    std::sort(names.begin(), names.end());
    errno = error;
    return names;
}

void add_folder(const std::string& folder, const SitePaths& paths, Sources& sources) {
    errno = 0;
    const std::vector<std::string> names = list(folder);
    if (errno != 0 && !is_missing(errno)) cannot_read(folder, errno, sources.problems);
    for (const std::string& name : names) sources.add_site(name, paths);
}

// A folder that others may write to is theirs, whatever the files in it say.
void judge_folder(const std::string& folder, const SitePaths& paths, Diagnostics& problems) {
    struct stat status {};
    if (stat(folder.c_str(), &status) != 0) return;  // reading it will tell
    const std::string why = weakness(status, paths);
    if (why.empty()) return;
    problems.push_back({{folder, 0, 0}, "the folder " + why + "; " + kRootAlone});
}

// The runtime directory is a place where everybody may make a folder, and so be the first to make
// policy.d: one that root did not make, or that others may write to, is nobody's site policy.
bool trusted(const std::string& folder, const SitePaths& paths, Diagnostics& passed_over) {
    struct stat status {};
    if (lstat(folder.c_str(), &status) != 0) return false;
    if (S_ISDIR(status.st_mode) && weakness(status, paths).empty()) return true;
    passed_over.push_back({{folder, 0, 0},
                           "passed over: allowed is a folder that belongs to root "
                           "and that others cannot write to"});
    return false;
}

// As the front asks (shim/preload/engine.cpp): where neither of a site's places is, it never loads
// the engine, so what is wrong with the folder around them may not matter here either.
bool may_exist(const std::string& path) {
    return access(path.c_str(), F_OK) == 0 || !is_missing(errno);
}

Sources site_sources(const SitePaths& paths) {
    Sources sources;
    const std::string file = paths.etc + kPolicyFile;
    const std::string etc = paths.etc + kPolicyFolder;
    const std::string run = paths.run + kPolicyFolder;
    if (may_exist(file) || may_exist(etc)) judge_folder(paths.etc, paths, sources.problems);
    judge_folder(etc, paths, sources.problems);
    sources.open_to_others = !sources.problems.empty();
    sources.add_site(file, paths);
    add_folder(etc, paths, sources);
    if (trusted(run, paths, sources.passed_over)) add_folder(run, paths, sources);
    return sources;
}

std::string value(const Environment& environment, const char* name) {
    return environment(name).value_or(std::string());
}

bool disabled(const Environment& environment) {
    const std::string setting = value(environment, kDisableVariable);
    return !setting.empty() && setting != "0";
}

Inline flags(const Environment& environment) {
    Inline options;
    for (const InlineFlag& flag : kInlineFlags) {
        options.*flag.value = value(environment, flag.variable);
    }
    return options;
}

bool any_flag(const Environment& environment) {
    return std::any_of(std::begin(kAskingVariables), std::end(kAskingVariables),
                       [&](const char* name) { return !value(environment, name).empty(); });
}

// Empty if there is no such place. The base directory specification: a relative path counts as
// none.
std::string user_file(const Environment& environment) {
    std::string base = value(environment, "XDG_CONFIG_HOME");
    if (base.empty() || base.front() != '/') {
        base = value(environment, "HOME");
        if (base.empty() || base.front() != '/') return {};
        return base + kHomeFile;
    }
    return base + kConfigFile;
}

class Search {
  public:
    Search(const Environment& environment, const SitePaths& paths)
        : environment_(environment), site_(site_sources(paths)) {}

    Found find() {
        Loaded site = site_.read();
        // A site file that cannot be opened may be the one that locks.
        const bool locked = site.policy.locked || !site_.problems.empty() || site_.open_to_others;
        Found found = locked ? locked_out(std::move(site)) : open(std::move(site));
        found.passed_over = std::move(site_.passed_over);
        found.passed_over.insert(found.passed_over.end(), passed_over_.begin(), passed_over_.end());
        return found;
    }

  private:
    static Found policy(Loaded loaded, const char* origin) {
        Found found;
        found.kind = Found::Kind::kPolicy;
        found.loaded = std::move(loaded);
        found.origin = origin;
        return found;
    }

    Found locked_out(Loaded site) const {
        Found found = policy(std::move(site), "site");
        found.locked_out = disabled(environment_) || any_flag(environment_) ||
                           !value(environment_, kPolicyVariable).empty();
        return found;
    }

    Found open(Loaded site) {
        if (disabled(environment_)) {
            Found found;
            found.kind = Found::Kind::kDisabled;
            found.origin = kDisableVariable;
            return found;
        }
        if (any_flag(environment_)) return policy(read_inline(flags(environment_)), "flags");

        const std::string named = value(environment_, kPolicyVariable);
        Sources sources;
        if (!named.empty()) {
            sources.add(named, Standing::kUser, true);
            return policy(sources.read(), kPolicyVariable);
        }
        const std::string user = user_file(environment_);
        if (!user.empty()) sources.add_user(user);
        passed_over_ = sources.passed_over;
        if (sources.any()) return policy(sources.read(), "user");
        if (site_.any()) return policy(std::move(site), "site");
        return {};
    }

    const Environment& environment_;
    Sources site_;
    Diagnostics passed_over_;  // but the site's
};

}  // namespace

std::optional<Source> load(const std::string& file, Standing standing, Diagnostics& problems,
                           const SitePaths& paths) {
    // One byte more than a policy may have, so that read() can say that it is too long.
    auto content = read_regular_file(file.c_str(), kLargestText + 1);
    if (!content) {
        const int error = errno;
        cannot_read(file, error, problems);
        errno = error;
        return std::nullopt;
    }
    Source source;
    source.file = file;
    source.text = std::move(content->text);
    source.site = standing != Standing::kUser;
    if (standing == Standing::kPlace) {
        source.weakness = weakness(content->mode, content->owner, content->group, paths);
    } else if (standing == Standing::kSite && (content->mode & S_IWOTH) != 0) {
        source.weakness = kByEveryone;
    }
    return source;
}

bool is_site_file(const std::string& file, const SitePaths& paths) {
    return within(file, paths.etc) || within(file, paths.run + kPolicyFolder);
}

Diagnostics folder_problems(const std::string& file, const SitePaths& paths) {
    Diagnostics problems;
    if (within(file, paths.etc)) judge_folder(paths.etc, paths, problems);
    if (within(file, paths.etc + kPolicyFolder))
        judge_folder(paths.etc + kPolicyFolder, paths, problems);
    if (within(file, paths.run + kPolicyFolder))
        trusted(paths.run + kPolicyFolder, paths, problems);
    return problems;
}

Found find(const Environment& environment, const SitePaths& paths) {
    try {
        return Search(environment, paths).find();
    } catch (...) {  // nothing but a want of memory throws
        Found failed;
        failed.kind = Found::Kind::kPolicy;
        failed.origin = "site";
        // Without a problem this would be the policy that leaves everything alone.
        failed.loaded.policy.locked = true;
        failed.loaded.problems.push_back({{}, "no memory to read the policy"});
        return failed;
    }
}

}  // namespace ration::policy
