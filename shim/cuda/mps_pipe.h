// Where the MPS control daemons of this node can be met, and whether somebody answers there.
#pragma once

#include <sys/types.h>
#include <sys/un.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shim/state/record.h"

namespace ration::cuda {

enum class PipeOrigin {
    kEnvironment,  // CUDA_MPS_PIPE_DIRECTORY
    kPrivate,      // `ration mps ensure`: mps/pipe in the user's own part of the runtime directory
    kSystem,       // `ration mps start --system`: /run/ration/mps/pipe
    kDefault,      // /tmp/nvidia-mps, where the driver looks if nobody tells it otherwise
};
const char* name(PipeOrigin origin);  // "environment", "private", "system", "default"

enum class PipeState {
    kAbsent,   // no such directory, or no control socket in it
    kAlive,    // a daemon listens that serves us: root's, our own, or that of a user whom our user
               // namespace does not map
    kForeign,  // a daemon listens, but it is another user's and serves that user alone
    kDead,     // a control socket that nobody listens on: left behind by SIGKILL or after `quit`
    kDenied,   // we may not connect; `error` says why
    kTooLong,  // the sockets' paths would not fit into sockaddr_un
};
const char* name(PipeState state);  // "absent", "alive", "foreign", "dead", "denied", "too long"

struct MpsPipe {
    std::string directory;
    PipeOrigin origin = PipeOrigin::kDefault;
    PipeState state = PipeState::kAbsent;
    uid_t uid = 0;  // of the daemon, if somebody listens
    pid_t pid = 0;  // of the daemon, from its own file in the directory; 0: unknown
    int error = 0;  // errno of a refused connection
};

inline constexpr const char* kMpsPipeVariable = "CUDA_MPS_PIPE_DIRECTORY";
// The longest socket that the daemon makes in its directory (seen: H100, driver 580.159.04).
inline constexpr std::string_view kMpsLongestSocket = "/control_privileged";
// How long the directory's own path may be: sockaddr_un holds 107 bytes and a zero.
inline constexpr std::size_t kMpsLongestPipe =
    sizeof(sockaddr_un::sun_path) - 1 - kMpsLongestSocket.size();

// The directories of ration's own daemons.
std::string private_pipe(const state::RuntimeDirectory& runtime);  // empty if there is no directory
std::string system_pipe(const state::RuntimeDirectory& runtime);

// Whether a daemon could make its sockets in this directory.
bool pipe_fits(const std::string& directory);

// Looks at one directory. Connects to the control socket, as clients do (SOCK_SEQPACKET), says
// nothing and hangs up; never waits.
MpsPipe probe_pipe(const std::string& directory, PipeOrigin origin);

// All places in the order in which clients choose, each directory once: `from_environment` (the
// process's CUDA_MPS_PIPE_DIRECTORY, if it is set and not empty), private, system, default.
std::vector<MpsPipe> probe_pipes(const std::optional<std::string>& from_environment,
                                 const state::RuntimeDirectory& runtime);

// The first of them that is alive.
std::optional<MpsPipe> find_daemon(const std::optional<std::string>& from_environment,
                                   const state::RuntimeDirectory& runtime);

}  // namespace ration::cuda
