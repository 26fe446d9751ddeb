#include "tests/sim/mps/pipe_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace sim::mps {
namespace {

bool complain(const std::string& path) {
    std::fprintf(stderr, "simulated nvidia-cuda-mps-control: %s: %s\n", path.c_str(),
                 std::strerror(errno));
    return false;
}

}  // namespace

bool PipeFiles::create(const std::string& directory) {
    directory_ = directory;
    if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) return complain(directory);
    umask(0);
    lock_ = open(path("control_lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock_ < 0) return complain(path("control_lock"));
    if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
        std::fprintf(stderr, "An instance of this daemon is already running\n");
        return false;
    }
    control_ = listen_at("control", 0666);
    privileged_ = listen_at("control_privileged", 0755);
    if (control_ < 0 || privileged_ < 0) return complain(path("control"));
    unlink(path("log").c_str());
    if (mkfifo(path("log").c_str(), 0777) != 0) return complain(path("log"));
    log_ = open(path("log").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct stat info {};
    stat(path("control").c_str(), &info);
    control_inode_ = info.st_ino;
    return true;
}

int PipeFiles::listen_at(const char* name, mode_t mode) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string file = path(name);
    if (file.size() >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    std::memcpy(address.sun_path, file.c_str(), file.size() + 1);
    unlink(file.c_str());  // left by a daemon that was killed: the lock says nobody has it
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        chmod(file.c_str(), mode) != 0 || listen(fd, SOMAXCONN) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

bool PipeFiles::write_pid(pid_t pid) const {
    const std::string file = path("nvidia-cuda-mps-control.pid");
    std::FILE* out = std::fopen(file.c_str(), "w");
    if (out == nullptr) return complain(file);
    std::fprintf(out, "%d", pid);  // no newline, as measured
    return std::fclose(out) == 0;
}

void PipeFiles::remove() const {
    unlink(path("log").c_str());
    unlink(path("nvidia-cuda-mps-control.pid").c_str());
}

bool PipeFiles::still_there() const {
    struct stat info {};
    return stat(path("control").c_str(), &info) == 0 && info.st_ino == control_inode_;
}

}  // namespace sim::mps
