// Starting and stopping MPS control daemons of our own.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "shim/cuda/mps_pipe.h"

namespace ration::tool {

// Where a daemon of ours lives: <base>/pipe and <base>/log.
struct MpsPlace {
    std::string base;  // "<runtime directory>/mps"
    bool system = false;
    std::string pipe() const { return base + "/pipe"; }
    std::string log() const { return base + "/log"; }
};

// The caller's private place, or the system's. Makes no directory. Failure(kFailed) if there is no
// runtime directory, or if the daemon's sockets would not fit there.
MpsPlace mps_place(bool system);

enum class MultiUser { kNo, kIfSupported, kRequired };

// One starter at a time: flock(2) on <base>/lock, held until this object ends. Makes the
// directories (0700 for a private daemon, so that nobody else becomes its client; 0755 for the
// system's). Failure(kFailed) if somebody else holds the lock for 30 seconds.
class MpsLock {
  public:
    explicit MpsLock(const MpsPlace& place);
    ~MpsLock();
    MpsLock(const MpsLock&) = delete;
    MpsLock& operator=(const MpsLock&) = delete;

  private:
    int descriptor_ = -1;
};

// With the lock held: removes what a dead daemon left there, starts one and waits until it answers.
// Failure(kFailed) with the daemon's own words if it does not.
cuda::MpsPipe start_daemon(const MpsPlace& place, MultiUser multi_user);

// Ends the daemon. Without `timeout` as soon as its clients have gone; with it, clients are cut off
// after so many seconds. `force`: kills what does not answer. Returns when it is gone; false if it
// is still there after `patience`.
struct StopPlan {
    std::optional<unsigned> timeout;
    bool force = false;
    std::chrono::seconds patience{3600};
};
bool stop_daemon(const cuda::MpsPipe& daemon, const StopPlan& plan);

// Removes the files of a daemon that is dead, if the directory is the caller's.
void remove_leftovers(const std::string& pipe_directory);

}  // namespace ration::tool
