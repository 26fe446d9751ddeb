// A hooked call leaves errno as the driver's own call would.
#pragma once

#include <errno.h>

namespace ration::engine {

class ErrnoKeeper {
  public:
    ErrnoKeeper() = default;
    ~ErrnoKeeper() { errno = saved_; }
    ErrnoKeeper(const ErrnoKeeper&) = delete;
    ErrnoKeeper& operator=(const ErrnoKeeper&) = delete;

  private:
    const int saved_ = errno;
};

}  // namespace ration::engine
