// nvidia-cuda-mps-control, simulated.
//   -d  start the daemon in the background     -f  in the foreground
//   (nothing)  send each line of standard input to the daemon and print its answer
// -multiuser-server is accepted: every user is served here.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/sim/mps/daemon.h"
#include "tests/sim/mps/pipe_files.h"
#include "tests/sim/mps/protocol.h"

namespace {

using sim::mps::PipeFiles;

void append_log(const std::string& file, const std::string& line) {
    const char* set = std::getenv("CUDA_MPS_LOG_DIRECTORY");
    const std::string directory = set != nullptr && *set != '\0' ? set : "/var/log/nvidia-mps";
    mkdir(directory.c_str(), 0755);
    // A daemon whose log can't be written serves all the same.
    if (std::FILE* out = std::fopen((directory + "/" + file).c_str(), "a")) {
        std::fputs(line.c_str(), out);
        std::fclose(out);
    }
}

// Writes the files of a daemon that is about to serve.
bool announce(const PipeFiles& files) {
    if (!files.write_pid(getpid())) return false;
    umask(022);
    append_log("control.log", "Control daemon started, process " + std::to_string(getpid()) + "\n");
    append_log("server.log", "");
    return true;
}

// Lets go of the caller's terminal, pipes and directory.
void detach() {
    setsid();
    [[maybe_unused]] const int moved = chdir("/");
    const int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= 2; ++fd) dup2(null, fd);
    close(null);
}

// The first process ends once the second one is ready, so that its caller may connect at once.
int run_in_background(const PipeFiles& files) {
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0) return 1;
    const pid_t child = fork();
    if (child < 0) return 1;
    char byte{};
    if (child > 0) _exit(close(ready[1]) == 0 && read(ready[0], &byte, 1) == 1 ? 0 : 1);
    if (!announce(files) || write(ready[1], &byte, 1) != 1) _exit(1);
    close(ready[0]);
    close(ready[1]);
    detach();
    sim::mps::serve(files);
    _exit(0);
}

int run_here(const PipeFiles& files) {
    if (!announce(files)) return 1;
    sim::mps::serve(files);
    return 0;
}

// Descriptors of the caller that we inherited, which a daemon must not keep open.
void close_inherited() { syscall(SYS_close_range, 3, UINT_MAX, 0); }

int send_commands() {
    const int fd = sim::mps::connect_control(sim::mps::pipe_directory());
    if (fd < 0) {
        std::cout << "Cannot find MPS control daemon process\n";
        return 1;
    }
    std::string line;
    std::string reply;
    while (std::getline(std::cin, line)) {
        if (!sim::mps::send_message(fd, "command " + line) ||
            !sim::mps::receive_message(fd, reply)) {
            return 1;
        }
        if (reply != "\n") std::cout << reply << std::flush;
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    bool background = false;
    bool foreground = false;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        background = background || option == "-d";
        foreground = foreground || option == "-f";
        if (option != "-d" && option != "-f" && option != "-multiuser-server") {
            std::cerr << "simulated nvidia-cuda-mps-control: unknown option " << option << "\n";
            return 1;
        }
    }
    if (!background && !foreground) return send_commands();
    if (background) close_inherited();
    PipeFiles files;
    if (!files.create(sim::mps::pipe_directory())) return 1;
    return background ? run_in_background(files) : run_here(files);
}
