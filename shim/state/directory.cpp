#include "shim/state/directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "shim/host/user_namespace.h"

namespace ration::state {
namespace {

using host::Descriptor;

using Kind = RuntimeDirectory::Kind;

std::string number(uid_t uid) { return std::to_string(uid); }

// What makes `parent` unfit to hold users' parts, or "". Where everyone may write without the
// sticky bit, somebody could swap a part for one of their own, with a false MPS daemon in it.
std::string unfit(const std::string& parent, const struct stat& info) {
    if (!S_ISDIR(info.st_mode)) return parent + " is not a directory";
    if ((info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0) {
        return parent + " can be changed by everyone: chmod +t it";
    }
    return "";
}

// The umask of the program may have taken bits away, and it is not ours to change. By O_PATH, which
// needs no right to read, and by /proc, since fchmod takes no such descriptor (open(2)); what
// stands there is ours and no link, or it is left alone.
bool set_mode(const std::string& path, mode_t mode, std::string& why) {
    const Descriptor made(open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat info;
    const bool ours = made && fstat(made.get(), &info) == 0 && info.st_uid == geteuid();
    if (made && !ours) errno = EPERM;
    const std::string self = "/proc/self/fd/" + std::to_string(made.get());
    if (ours && ((info.st_mode & 07777) == mode || chmod(self.c_str(), mode) == 0)) return true;
    why = failure(path);
    return false;
}

// Makes the last component of `path`. False if there is none afterwards.
bool make_directory(const std::string& path, mode_t mode, std::string& why) {
    if (mkdir(path.c_str(), mode) != 0) {
        if (errno == EEXIST) return true;
        why = failure(path);
        return false;
    }
    return set_mode(path, mode, why);
}

// Can `path` be this user's part? Makes it if asked to.
bool usable(const std::string& path, uid_t uid, mode_t mode, bool create, std::string& why) {
    if (create && !make_directory(path, mode, why)) return false;
    struct stat info;
    if (lstat(path.c_str(), &info) != 0) {
        if (errno == ENOENT && !create) return true;
        why = failure(path);
        return false;
    }
    if (!S_ISDIR(info.st_mode)) {
        why = path + (S_ISLNK(info.st_mode) ? " is a symbolic link" : " is not a directory") +
              ": remove it";
        return false;
    }
    if (info.st_uid != uid) {
        why = path + " belongs to uid " + number(info.st_uid) + ", not " + number(uid) +
              ": have it removed";
        return false;
    }
    // Left behind by a process with such a umask that was killed, or an older ration.
    const bool closed = (info.st_mode & S_IRWXU) != S_IRWXU;
    if (create && closed && !set_mode(path, mode, why)) return false;
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        why = path + " can be changed by others: chmod go-w it";
        return false;
    }
    return true;
}

// Can `root` hold the users' parts? Makes its last component if asked to.
bool usable_override(const std::string& root, bool create, std::string& why) {
    if (root[0] != '/') {
        why = "RATION_RUNTIME_DIR must be an absolute path, not \"" + root + "\"";
        return false;
    }
    if (create && !make_directory(root, 0755, why)) return false;
    struct stat info;
    if (stat(root.c_str(), &info) != 0) {
        if (errno == ENOENT) return true;
        why = failure(root);
        return false;
    }
    why = unfit(root, info);
    return why.empty();
}

RuntimeDirectory in_override(const std::string& root, uid_t uid, bool create) {
    RuntimeDirectory none{Kind::kNone, "", "", ""};
    if (!usable_override(root, create, none.why)) return none;
    const std::string path = root + "/" + kPartPrefix + number(uid);
    if (!usable(path, uid, 0700, create, none.why)) return none;
    return {Kind::kOverride, path, root, ""};
}

// Whether root made it for all users. With no reason if there is none.
bool usable_system(const Places& places, std::string& why) {
    struct stat info;
    if (lstat(places.system.c_str(), &info) != 0) {
        if (errno != ENOENT) why = failure(places.system);
        return false;
    }
    if (why = unfit(places.system, info); !why.empty()) return false;
    // Root, or what a container shows of it.
    const bool roots = info.st_uid == places.system_owner || host::is_unmapped_user(info.st_uid);
    if (roots && (info.st_mode & S_IWOTH) != 0) return true;
    why = places.system + " is not owned by root with mode 1777: install ration.tmpfiles.conf";
    return false;
}

// "" with no reason if the site has made no such directory.
std::string system_part(const Places& places, uid_t uid, bool create, std::string& why) {
    if (!usable_system(places, why)) return "";
    std::string path = places.system + "/" + kPartPrefix + number(uid);
    return usable(path, uid, 0755, create, why) ? path : "";
}

std::string user_part(const Places& places, uid_t uid, bool create, std::string& why) {
    struct stat info;
    if (stat(places.user_parent.c_str(), &info) != 0) {
        why = failure(places.user_parent);
        return "";
    }
    if (why = unfit(places.user_parent, info); !why.empty()) return "";
    std::string path = places.user_parent + "/" + kUserPrefix + number(uid);
    return usable(path, uid, 0700, create, why) ? path : "";
}

}  // namespace

std::string failure(const std::string& path) {
    const int error = errno;
    char buffer[128];
    return path + ": " + strerror_r(error, buffer, sizeof buffer);
}

RuntimeDirectory find_directory(const Places& places, uid_t uid,
                                const std::optional<std::string>& override_path, bool create) {
    create = create && uid == geteuid();
    if (override_path && !override_path->empty()) return in_override(*override_path, uid, create);
    std::string system_why;
    if (auto path = system_part(places, uid, create, system_why); !path.empty()) {
        return {Kind::kSystem, path, places.system, ""};
    }
    std::string user_why;
    if (auto path = user_part(places, uid, create, user_why); !path.empty()) {
        return {Kind::kUser, path, path, system_why};
    }
    if (system_why.empty()) system_why = places.system + " does not exist";
    return {Kind::kNone, "", "", system_why + "; " + user_why};
}

RuntimeDirectory runtime_directory(uid_t uid, const std::optional<std::string>& override_path,
                                   bool create) try {
    return find_directory(Places{}, uid, override_path, create);
} catch (...) {
    return {};
}

LockPlace find_lock_place(const Places& places, const std::optional<std::string>& override_path,
                          bool create) {
    std::string why;
    if (override_path && !override_path->empty()) {
        if (!usable_override(*override_path, create, why)) return {"", "", why};
        return {*override_path, "", ""};
    }
    if (usable_system(places, why)) return {places.system, "", ""};
    struct stat info;
    if (stat(places.user_parent.c_str(), &info) != 0) return {"", "", failure(places.user_parent)};
    if (why = unfit(places.user_parent, info); !why.empty()) return {"", "", why};
    return {places.user_parent, kSharedPrefix, ""};
}

LockPlace lock_place(const std::optional<std::string>& override_path, bool create) {
    return find_lock_place(Places{}, override_path, create);
}

Descriptor open_part(const std::string& path, uid_t uid, std::string& why) {
    Descriptor part(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat info;
    if (!part || fstat(part.get(), &info) != 0) {
        why = failure(path);
        return {};
    }
    if (info.st_uid != uid) {
        why = path + " belongs to uid " + number(info.st_uid) + ", not " + number(uid);
        return {};
    }
    return part;
}

}  // namespace ration::state
