// The files by which a daemon is found: laid out as the real daemon does.
#pragma once
#include <sys/types.h>

#include <string>

namespace sim::mps {

class PipeFiles {
  public:
    // Creates everything; false with a line on stderr if that can't be done or another daemon
    // holds the directory. The directory itself is made if it is missing.
    bool create(const std::string& directory);
    // The process number of the daemon, once it is the one that stays.
    bool write_pid(pid_t pid) const;
    // What `quit` removes; the sockets and the lock stay, as they do on the real one.
    void remove() const;
    // False once the directory or its control socket is gone or another's.
    bool still_there() const;

    int control() const { return control_; }
    int privileged() const { return privileged_; }

  private:
    std::string path(const char* name) const { return directory_ + "/" + name; }
    int listen_at(const char* name, mode_t mode) const;

    std::string directory_;
    int lock_ = -1;
    int control_ = -1;
    int privileged_ = -1;
    int log_ = -1;
    ino_t control_inode_ = 0;
};

}  // namespace sim::mps
