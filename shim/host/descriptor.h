// A file descriptor that closes itself, and keeps errno then.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace ration::host {

class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        if (this != &other) reset(other.release());
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { reset(); }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1) {
        if (fd_ >= 0) {
            const int error = errno;
            close(fd_);
            errno = error;
        }
        fd_ = fd;
    }

  private:
    int fd_ = -1;
};

}  // namespace ration::host
