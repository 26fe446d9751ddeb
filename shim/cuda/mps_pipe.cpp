#include "shim/cuda/mps_pipe.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "shim/host/descriptor.h"
#include "shim/host/user_namespace.h"

namespace ration::cuda {
namespace {

// The daemon writes its pid into its directory; 0 if the file is missing or holds something else.
pid_t written_pid(const std::string& directory) {
    const std::string file = directory + "/nvidia-cuda-mps-control.pid";
    const host::Descriptor descriptor(
        open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    std::array<char, 16> text{};
    const ssize_t size = descriptor ? read(descriptor.get(), text.data(), text.size() - 1) : 0;
    const long pid = size > 0 ? strtol(text.data(), nullptr, 10) : 0;
    return pid > 0 && pid <= 1 << 22 ? static_cast<pid_t>(pid) : 0;
}

// What a daemon of `uid` that listens is to us.
void describe_owner(uid_t uid, MpsPipe& pipe) {
    pipe.uid = uid;
    // In a container that an ordinary user started, root's daemon outside is nobody's.
    const bool serves_us = uid == 0 || uid == geteuid() || host::is_unmapped_user(uid);
    pipe.state = serves_us ? PipeState::kAlive : PipeState::kForeign;
    pipe.pid = written_pid(pipe.directory);
}

// Fills in what an answered connection tells. SO_PEERCRED holds the credentials at listen(2); its
// pid may be the process that became a daemon by forking, so the pid comes from the daemon's file.
void describe_peer(int descriptor, MpsPipe& pipe) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        pipe.error = errno;
        pipe.state = PipeState::kDenied;
        return;
    }
    describe_owner(peer.uid, pipe);
}

// Somebody listens and is too busy to answer; whose daemon it is, the socket's owner tells. Where
// several users may write, a foreign socket must not pass for the daemon.
void describe_busy(const std::string& socket, MpsPipe& pipe) {
    struct stat status {};
    if (lstat(socket.c_str(), &status) != 0) {
        pipe.error = errno;
        pipe.state = PipeState::kDenied;
        return;
    }
    describe_owner(status.st_uid, pipe);
}

PipeState state_of_error(int error) {
    switch (error) {
        case ECONNREFUSED:  // nobody listens on the socket
        case ENOTSOCK:
            return PipeState::kDead;
        case ENOENT:
        case ENOTDIR:
            return PipeState::kAbsent;
        default:
            return PipeState::kDenied;
    }
}

}  // namespace

const char* name(PipeOrigin origin) {
    switch (origin) {
        case PipeOrigin::kEnvironment:
            return "environment";
        case PipeOrigin::kPrivate:
            return "private";
        case PipeOrigin::kSystem:
            return "system";
        case PipeOrigin::kDefault:
            break;
    }
    return "default";
}

const char* name(PipeState state) {
    switch (state) {
        case PipeState::kAlive:
            return "alive";
        case PipeState::kForeign:
            return "foreign";
        case PipeState::kDead:
            return "dead";
        case PipeState::kDenied:
            return "denied";
        case PipeState::kTooLong:
            return "too long";
        case PipeState::kAbsent:
            break;
    }
    return "absent";
}

std::string private_pipe(const state::RuntimeDirectory& runtime) {
    return runtime.kind == state::RuntimeDirectory::Kind::kNone ? "" : runtime.path + "/mps/pipe";
}

std::string system_pipe(const state::RuntimeDirectory& runtime) {
    const bool moved = runtime.kind == state::RuntimeDirectory::Kind::kOverride;
    return (moved ? runtime.root : std::string(state::kSystemDirectory)) + "/mps/pipe";
}

bool pipe_fits(const std::string& directory) { return directory.size() <= kMpsLongestPipe; }

MpsPipe probe_pipe(const std::string& directory, PipeOrigin origin) {
    MpsPipe pipe{directory, origin, PipeState::kTooLong, 0, 0, 0};
    if (!pipe_fits(directory)) {
        return pipe;
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = directory + "/control";
    memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const host::Descriptor end(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const bool connected =
        end && connect(end.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (connected) {
        describe_peer(end.get(), pipe);
    } else if (errno == EAGAIN) {
        describe_busy(path, pipe);
    } else {
        pipe.error = errno;
        pipe.state = state_of_error(pipe.error);
    }
    return pipe;
}

std::vector<MpsPipe> probe_pipes(const std::optional<std::string>& from_environment,
                                 const state::RuntimeDirectory& runtime) {
    std::vector<MpsPipe> pipes;
    const auto look_at = [&pipes](const std::string& directory, PipeOrigin origin) {
        const bool known = std::any_of(pipes.begin(), pipes.end(), [&](const MpsPipe& pipe) {
            return pipe.directory == directory;
        });
        if (!directory.empty() && !known) {
            pipes.push_back(probe_pipe(directory, origin));
        }
    };
    look_at(from_environment.value_or(""), PipeOrigin::kEnvironment);
    look_at(private_pipe(runtime), PipeOrigin::kPrivate);
    look_at(system_pipe(runtime), PipeOrigin::kSystem);
    look_at("/tmp/nvidia-mps", PipeOrigin::kDefault);
    return pipes;
}

std::optional<MpsPipe> find_daemon(const std::optional<std::string>& from_environment,
                                   const state::RuntimeDirectory& runtime) {
    for (const MpsPipe& pipe : probe_pipes(from_environment, runtime)) {
        if (pipe.state == PipeState::kAlive) {
            return pipe;
        }
    }
    return std::nullopt;
}

}  // namespace ration::cuda
