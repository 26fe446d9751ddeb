// Where the runtime directory may be; the names are arguments so that a test can bring its own.
#pragma once

#include "shim/host/descriptor.h"
#include "shim/state/lock_file.h"
#include "shim/state/record.h"

namespace ration::state {

struct Places {
    std::string system = kSystemDirectory;
    std::string user_parent = "/dev/shm";
    uid_t system_owner = 0;  // who must have made `system`
};
inline constexpr char kUserPrefix[] = "ration-u";   // below user_parent
inline constexpr char kPartPrefix[] = "u";          // below system and an override
inline constexpr char kSharedPrefix[] = "ration-";  // of what all users share in user_parent

RuntimeDirectory find_directory(const Places& places, uid_t uid,
                                const std::optional<std::string>& override_path, bool create);

LockPlace find_lock_place(const Places& places, const std::optional<std::string>& override_path,
                          bool create);

// Opens a user's part for reading, following no symbolic link in its last component. Nothing and a
// reason if it is missing, no directory, or not owned by `uid`.
host::Descriptor open_part(const std::string& path, uid_t uid, std::string& why);

// "PATH: what the system says"; errno is read first.
std::string failure(const std::string& path);

}  // namespace ration::state
