#include "tests/gpu/support/daemon.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace gpu {
namespace {

// The control program as a shell runs it, with the daemon's two directories.
std::string shell(const std::string& pipes, const std::string& logs, const std::string& rest,
                  int& status) {
    const std::string line = "env -u CUDA_VISIBLE_DEVICES CUDA_MPS_PIPE_DIRECTORY=" + pipes +
                             " CUDA_MPS_LOG_DIRECTORY=" + logs + " " + rest;
    std::string text;
    std::FILE* out = popen(line.c_str(), "r");
    if (out == nullptr) return text;
    char buffer[4096];
    for (std::size_t size = 0; (size = std::fread(buffer, 1, sizeof buffer, out)) > 0;) {
        text.append(buffer, size);
    }
    const int result = pclose(out);
    status = WIFEXITED(result) ? WEXITSTATUS(result) : -1;
    return text;
}

// The daemon tells nobody when it is ready or gone, so it is asked until the answer is right, for
// ten seconds at most.
template <typename Condition>
bool eventually(Condition&& holds) {
    for (int i = 0; i < 1000; ++i) {
        if (holds()) return true;
        const timespec pause{0, 10'000'000};
        nanosleep(&pause, nullptr);
    }
    return false;
}

}  // namespace

bool have_mps() { return std::system("command -v nvidia-cuda-mps-control >/dev/null") == 0; }

MpsDaemon::MpsDaemon() {
    char pattern[] = "/tmp/gpu-test-XXXXXX";
    if (mkdtemp(pattern) == nullptr) return;
    root_ = pattern;
    pipes_ = root_ + "/pipe";
    logs_ = root_ + "/log";
    mkdir(pipes_.c_str(), 0755);
    mkdir(logs_.c_str(), 0755);
    started_ = start() == 0 && wait_until(true) && pid() > 1;
}

MpsDaemon::~MpsDaemon() {
    if (answers()) quit();
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
}

Environment MpsDaemon::client(const Environment& more) const {
    Environment environment{{"CUDA_MPS_PIPE_DIRECTORY", pipes_}, {"CUDA_MPS_LOG_DIRECTORY", logs_}};
    environment.insert(environment.end(), more.begin(), more.end());
    return environment;
}

std::string MpsDaemon::command(const std::string& line, int* status) const {
    int result = 0;
    std::string text = shell(
        pipes_, logs_, "sh -c 'echo \"" + line + "\" | nvidia-cuda-mps-control' 2>&1", result);
    if (status != nullptr) *status = result;
    return text;
}

int MpsDaemon::start() {
    int status = -1;
    shell(pipes_, logs_, "nvidia-cuda-mps-control -d >/dev/null 2>&1 </dev/null", status);
    return status;
}

void MpsDaemon::quit() {
    command("quit");
    wait_until(false);
}

void MpsDaemon::kill() {
    const pid_t daemon = pid();
    if (daemon > 1) ::kill(daemon, SIGKILL);
    wait_until(false);
}

// From its file, which may come a little after its socket; -1 if it doesn't.
pid_t MpsDaemon::pid() const {
    pid_t number = -1;
    eventually([&] {
        std::ifstream file(pipes_ + "/nvidia-cuda-mps-control.pid");
        return static_cast<bool>(file >> number);
    });
    return number;
}

bool MpsDaemon::answers() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = pipes_ + "/control";
    if (path.size() >= sizeof address.sun_path) return false;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const bool connected =
        connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    return connected;
}

bool MpsDaemon::wait_until(bool answering) const {
    return eventually([&] { return answers() == answering; });
}

}  // namespace gpu
