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
    kWaiting,   // for groups of SMs that others hold; `why` says for which, and by whom
};
const char* name(State state);  // as the enumerators, such as "starting"; else "unknown"

// Text is cut to the width of its field in the file, at a UTF-8 boundary (widths: layout.h). What
// list() returns is valid UTF-8 without control characters, whatever the file of another user
// holds.
struct Record {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;  // /proc/PID/stat, field 22: makes (pid, start) unique
    std::int64_t started = 0;       // seconds since the epoch, of the first GPU call
    uid_t uid = 0;
    std::string command;             // name of the executable, script
    std::string policy;              // file:line of the rule
    std::string partition;           // "pool.paper[2]"
    std::string mechanism;           // "mps", "mig"
    std::string device;              // UUIDs, comma separated
    std::string asked;               // "25 %"
    std::string granted;             // "32 of 132 SMs (24.2 %)"
    std::uint64_t memory_quota = 0;  // bytes; 0: none
    bool memory_counted = false;     // by ration; else the driver keeps it
    bool concurrent = false;         // runs side by side with other processes
    State state = State::kStarting;
    std::string why;  // reason of a refusal, and what to do
};

// What root makes for all users (config/ration.tmpfiles.conf).
inline constexpr const char* kSystemDirectory = "/run/ration";

// The directory that holds records and private MPS pipes.
struct RuntimeDirectory {
    enum class Kind { kSystem, kUser, kOverride, kNone };
    Kind kind = Kind::kNone;
    std::string path;  // this user's own part: /run/ration/u1000 or /dev/shm/ration-u1000
    std::string root;  // what holds the parts of all users: /run/ration; path itself for kUser
    std::string why;   // kNone: what was tried; kUser: why /run/ration is not it, if it exists
};

// The first of these that can be used:
//   kOverride  <override_path>/u<uid>   nothing else is tried; the path must be absolute, an
//                                      empty one is as none
//   kSystem    /run/ration/u<uid>       if root made /run/ration (config/ration.tmpfiles.conf)
//   kUser      /dev/shm/ration-u<uid>
// With `create` the user's part is made if missing, and so is the last component of override_path:
// 0755 under kSystem, so that everyone sees who uses the GPUs (of arguments and environment a
// record holds the script's name and the variables that `why` speaks of), 0700 elsewhere: for this
// user and root. A part that is a symbolic link or belongs to somebody else is never used. Without
// `create` the path may not exist yet. Only the user itself creates: with another `uid` than the
// effective one `create` is ignored.
RuntimeDirectory runtime_directory(uid_t uid, const std::optional<std::string>& override_path,
                                   bool create);

// Publishes a record of this process. It may have two, one for each vendor whose GPUs it uses; they
// share a file, that of the first. Keeps one descriptor open, above 200 where RLIMIT_NOFILE
// allows, close-on-exec. The record counts as live while this process lives; a
// later record may reuse the place of a dead one, oldest first. Nothing is thrown.
//
// After fork() the child's publish() claims a place of its own and never touches its parent's
// record; a child that publishes nothing has no record.
class Publisher {
  public:
    // Null and a reason (one line, without "ration: ") if the directory cannot be used; the caller
    // runs unrecorded and says so.
    static std::unique_ptr<Publisher> open(const RuntimeDirectory& directory, std::string& why);
    virtual ~Publisher() = default;
    // Replaces the former record atomically: a reader, or a SIGKILL at any point, finds the former
    // or the new one. pid, start_ticks and uid are filled in here, and, if it is 0, started: the
    // time of the process's first record. If the
    // file was removed or our descriptor closed by the program, both are opened anew; where that
    // fails the former record stays.
    virtual void publish(const Record& record) = 0;
};

struct Listed {
    Record record;
    bool live = false;
};
// The records that this user may read, oldest first: those of all users below `directory.root` and,
// unless that is an override, of /dev/shm/ration-u* (root: everybody's). `notes`, if given, gets
// one line for each file that exists but cannot be read, such as one of another format.
std::vector<Listed> list(const RuntimeDirectory& directory,
                         std::vector<std::string>* notes = nullptr);

}  // namespace ration::state
