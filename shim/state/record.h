// What a GPU process publishes of its grant, and how others read it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ration::state {

enum class State {
    kStarting,  // decided, the driver is not initialised yet
    kGranted,   // read back from the driver
    kUnshared,  // on_error = "warn": runs without its share
    kRefused,   // on_error = "fail": the GPU call failed
    kDenied,    // use = "deny"
};
const char* name(State state);  // "starting", "granted", "unshared", "refused", "denied"

// Text is cut to the width of its field in the file, at a UTF-8 boundary.
struct Record {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;  // /proc/PID/stat, field 22: makes (pid, start) unique
    std::int64_t started = 0;       // seconds since the epoch, of the first GPU call
    uid_t uid = 0;
    std::string command;    // name of the executable, script
    std::string policy;     // file:line of the rule
    std::string partition;  // "pool.paper[2]"
    std::string mechanism;  // "mps", "mig"
    std::string device;     // UUIDs, comma separated
    std::string asked;      // "25 %"
    std::string granted;    // "32 of 132 SMs (24.2 %)"
    std::uint64_t memory_quota = 0;  // bytes; 0: none
    bool concurrent = false;         // runs side by side with other processes
    State state = State::kStarting;
    std::string why;  // reason of a refusal, and what to do
};

// The directory that holds records and private MPS pipes.
struct RuntimeDirectory {
    enum class Kind { kSystem, kUser, kOverride, kNone };
    Kind kind = Kind::kNone;
    std::string path;  // this user's own part: /run/ration/u1000 or /dev/shm/ration-u1000
    std::string root;  // what holds the parts of all users: /run/ration; path itself for kUser
    std::string why;   // kNone: what was tried
};

// /run/ration if root made it (config/ration.tmpfiles.conf), else /dev/shm/ration-u<uid>, which only
// this user and root can list. RATION_RUNTIME_DIR overrides both. With `create`, the user's part is
// made if missing (0755, ours, no symbolic link followed).
RuntimeDirectory runtime_directory(uid_t uid, const std::optional<std::string>& override_path,
                                   bool create);

// Publishes the record of this process. One writer a process; keeps one descriptor open, above 200,
// close-on-exec. The record counts as live while this process lives; a later record may reuse the
// place of a dead one, oldest first.
class Publisher {
  public:
    // Null and a reason if the directory cannot be used; the caller runs unrecorded and says so.
    static std::unique_ptr<Publisher> open(const RuntimeDirectory& directory, std::string& why);
    virtual ~Publisher() = default;
    virtual void publish(const Record& record) = 0;  // replaces the former one atomically
};

struct Listed {
    Record record;
    bool live = false;
};
// All records below `directory.root` that this user may read, oldest first.
std::vector<Listed> list(const RuntimeDirectory& directory);

}  // namespace ration::state
