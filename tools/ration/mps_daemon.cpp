#include "tools/ration/mps_daemon.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <functional>
#include <thread>

#include "tools/ration/child.h"
#include "tools/ration/failure.h"
#include "tools/ration/mps_control.h"
#include "tools/ration/output.h"
#include "tools/ration/runtime.h"
#include "tools/ration/share_options.h"

namespace ration::tool {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// What the daemon makes in its pipe directory (seen: H100, driver 580.159.04).
constexpr std::array<const char*, 5> kFiles{"control", "control_lock", "control_privileged", "log",
                                            "nvidia-cuda-mps-control.pid"};

// Asks until the answer is yes; says on a terminal what is waited for.
bool wait_until(const std::function<bool()>& done, std::chrono::milliseconds limit,
                const std::string& what) {
    const auto begin = Clock::now();
    bool told = false;
    while (!done()) {
        const auto waited = Clock::now() - begin;
        if (waited >= limit) {
            return false;
        }
        if (waited > 1s && !told && isatty(STDERR_FILENO) == 1) {
            complain("waiting for " + what);
            told = true;
        }
        std::this_thread::sleep_for(20ms);
    }
    return true;
}

Failure cannot_make(const std::string& path, int error) {
    return {kFailed, with_errno("cannot make " + path, error) +
                         "; RATION_RUNTIME_DIR may name a place where you may write"};
}

// A directory of ours: made if missing, and never somebody else's or a symbolic link.
void own_directory(const std::string& path, mode_t mode) {
    struct stat status {};
    if (mkdir(path.c_str(), mode) == 0) {
        chmod(path.c_str(), mode);  // the umask may have taken from it
    } else if (errno != EEXIST) {
        throw cannot_make(path, errno);
    }
    if (lstat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
        status.st_uid != geteuid()) {
        throw Failure(kFailed,
                      path + " is not a directory of user " + user_name(geteuid()) + "; remove it");
    }
}

// /run/ration as config/ration.tmpfiles.conf makes it: every user keeps a part of it.
void make_shared_root(const std::string& path) {
    if (mkdir(path.c_str(), 0755) == 0) {
        chmod(path.c_str(), 01777);  // the umask may have taken from it
    } else if (errno != EEXIST) {
        throw cannot_make(path, errno);
    }
}

std::string last_lines(const std::string& file, std::size_t count) {
    std::ifstream in(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
        lines.push_back(printable(line));
    }
    std::string text;
    for (std::size_t i = lines.size() > count ? lines.size() - count : 0; i < lines.size(); ++i) {
        text += (text.empty() ? "" : " | ") + lines[i];
    }
    return text;
}

ChildResult launch(const MpsPlace& place, bool multi_user) {
    ChildPlan plan;
    plan.command = {control_program(), "-d"};
    if (multi_user) {
        plan.command.emplace_back("-multiuser-server");
    }
    plan.set = {{cuda::kMpsPipeVariable, place.pipe()}, {"CUDA_MPS_LOG_DIRECTORY", place.log()}};
    // What these say would hold for every client, and CUDA_VISIBLE_DEVICES would renumber their
    // devices.
    plan.unset = {"LD_PRELOAD", "CUDA_VISIBLE_DEVICES", "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE",
                  "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT", "CUDA_MPS_CLIENT_PRIORITY"};
    plan.limit = 30s;
    return run_child(plan);
}

// Whether `pid` is an MPS daemon or server, so that a number that was used again is never killed.
bool is_daemon(pid_t pid) {
    std::ifstream in(fmt::format("/proc/{}/comm", pid));
    std::string name;
    std::getline(in, name);
    return name.rfind("nvidia-cuda-mps", 0) == 0;
}

bool gone(const cuda::MpsPipe& daemon) {
    const auto state = cuda::probe_pipe(daemon.directory, daemon.origin).state;
    return state == cuda::PipeState::kDead || state == cuda::PipeState::kAbsent;
}

// The daemon and its servers, which are its children, whether or not it still answers. False if
// there is no such daemon.
bool kill_daemon(pid_t daemon) {
    if (daemon <= 0 || !is_daemon(daemon)) {
        return false;
    }
    std::vector<pid_t> pids{daemon};
    std::ifstream children(fmt::format("/proc/{}/task/{}/children", daemon, daemon));
    for (pid_t child = 0; children >> child;) {
        pids.push_back(child);
    }
    for (const pid_t pid : pids) {
        if (is_daemon(pid) && kill(pid, SIGKILL) != 0 && errno != ESRCH) {
            throw Failure(kFailed, with_errno(fmt::format("cannot kill process {}", pid), errno));
        }
    }
    return true;
}

}  // namespace

MpsPlace mps_place(bool system) {
    const state::RuntimeDirectory runtime = runtime_directory(false);
    // One that was asked for by name is never replaced by the system's.
    const bool named = !own_environment("RATION_RUNTIME_DIR").value_or("").empty();
    if ((!system || named) && runtime.kind == state::RuntimeDirectory::Kind::kNone) {
        throw Failure(kFailed, "no runtime directory for the MPS daemon: " + runtime.why);
    }
    const std::string pipe = system ? cuda::system_pipe(runtime) : cuda::private_pipe(runtime);
    if (!cuda::pipe_fits(pipe)) {
        throw Failure(kFailed, pipe +
                                   " is too long for the MPS daemon's sockets (107 bytes): set "
                                   "RATION_RUNTIME_DIR to a shorter path");
    }
    return {pipe.substr(0, pipe.rfind('/')), system};
}

MpsLock::MpsLock(const MpsPlace& place) {
    if (!place.system) {
        runtime_directory(true);
    }
    const mode_t mode = place.system ? 0755 : 0700;
    const std::string root = place.base.substr(0, place.base.rfind('/'));
    if (place.system) {
        make_shared_root(root);
    }
    own_directory(place.base, mode);
    own_directory(place.pipe(), mode);
    own_directory(place.log(), mode);
    const std::string file = place.base + "/lock";
    descriptor_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor_ < 0) {
        throw Failure(kFailed, with_errno("cannot open " + file, errno));
    }
    const auto locked = [this] { return flock(descriptor_, LOCK_EX | LOCK_NB) == 0; };
    if (!wait_until(locked, 30s, "another `ration mps`, which holds " + file)) {
        close(descriptor_);
        throw Failure(kFailed, "another `ration mps` has held " + file +
                                   " for 30 seconds: end it, then try again");
    }
}

MpsLock::~MpsLock() { close(descriptor_); }

void remove_leftovers(const std::string& pipe_directory) {
    struct stat status {};
    if (lstat(pipe_directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
        status.st_uid != geteuid()) {
        return;
    }
    for (const char* file : kFiles) {
        unlink((pipe_directory + "/" + file).c_str());
    }
}

cuda::MpsPipe start_daemon(const MpsPlace& place, MultiUser multi_user) {
    const auto origin = place.system ? cuda::PipeOrigin::kSystem : cuda::PipeOrigin::kPrivate;
    if (cuda::probe_pipe(place.pipe(), origin).state == cuda::PipeState::kDead) {
        remove_leftovers(place.pipe());
    }
    ChildResult result = launch(place, multi_user != MultiUser::kNo);
    if (result.status != 0 && !result.timed_out && multi_user == MultiUser::kIfSupported) {
        const ChildResult plain = launch(place, false);
        if (plain.status == 0) {
            complain("this MPS has no -multiuser-server: users take turns on the GPU");
            result = plain;
        }
    }
    cuda::MpsPipe daemon;
    const auto answers = [&] {
        daemon = cuda::probe_pipe(place.pipe(), origin);
        return daemon.state == cuda::PipeState::kAlive && daemon.pid != 0;
    };
    if (result.status != 0 || !wait_until(answers, 20s, "the MPS daemon at " + place.pipe())) {
        const std::string words =
            result.output.empty() ? last_lines(place.log() + "/control.log", 2) : result.output;
        throw Failure(
            kFailed,
            fmt::format("the MPS daemon did not start: {} (log: {})",
                        printable(words.substr(0, words.find_last_not_of('\n') + 1)), place.log()));
    }
    return daemon;
}

bool stop_daemon(const cuda::MpsPipe& daemon, const StopPlan& plan) {
    const std::string quit =
        plan.timeout ? fmt::format("quit -t {}", *plan.timeout) : std::string("quit");
    // With force the clients get no time, and a daemon that does not answer gets little.
    const std::chrono::seconds patience = plan.force ? 3s : plan.patience;
    bool ended = false;
    try {
        ask_daemon(daemon.directory, plan.force && !plan.timeout ? "quit -t 1" : quit, patience);
        ended = wait_until([&] { return gone(daemon); }, patience, "the MPS daemon's end");
    } catch (const Failure&) {
        // It may have hung up on us in the act of ending.
        ended = wait_until([&] { return gone(daemon); }, 1s, "the MPS daemon's end");
        if (!ended && !plan.force) {
            throw;
        }
    }
    if (!ended && plan.force && kill_daemon(daemon.pid)) {
        ended = wait_until([&] { return gone(daemon); }, 5s, "the MPS daemon's end");
    }
    if (ended) {
        remove_leftovers(daemon.directory);
    }
    return ended;
}

}  // namespace ration::tool
