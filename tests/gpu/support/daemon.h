// A private MPS daemon: nvidia-cuda-mps-control as found on PATH, real or simulated.
#pragma once
#include <string>
#include <vector>

#include "tests/gpu/support/child.h"

namespace gpu {

class MpsDaemon {
  public:
    // Starts it and waits until it answers; started() says whether that worked.
    MpsDaemon();
    MpsDaemon(const MpsDaemon&) = delete;
    // Ends it and removes its directory.
    ~MpsDaemon();

    bool started() const { return started_; }
    const std::string& pipes() const { return pipes_; }
    // The environment of a client, with more variables if given.
    Environment client(const Environment& more = {}) const;

    // What the daemon prints for one command; `status` gets the exit status of the control program.
    std::string command(const std::string& line, int* status = nullptr) const;
    // Starts it (again); the exit status of nvidia-cuda-mps-control -d.
    int start();
    // Ends it by its own command, or with SIGKILL, and waits until nobody listens any more.
    void quit();
    void kill();

  private:
    pid_t pid() const;
    bool answers() const;
    bool wait_until(bool answering) const;

    std::string root_;
    std::string pipes_;
    std::string logs_;
    bool started_ = false;
};

// Whether a daemon's program is there at all: without it the tests that need it are skipped.
bool have_mps();

}  // namespace gpu
