// One process's course: decided, initialised, verified, first context.
#pragma once

#include <sys/types.h>

#include "shim/cuda/driver.h"
#include "shim/engine/boundary.h"

namespace ration::engine {

// Never destroyed: threads may be inside its calls until the process ends.
class Session {
  public:
    // Begins the session of this process: decides, and routes the hooks that the decision needs.
    static void begin(const ration_front& front);

    // This process's session. A forked child finds its parent's and begins its own: what was
    // decided there, and the locks that other threads held there, mean nothing here.
    static Session& current();

    CUresult init(unsigned int flags);

    // `call` makes or takes a context.
    template <class Call>
    CUresult context(Call call) {
        const Deeper deeper(*this);
        return call();
    }

    const cuda::Driver& driver() const { return driver_; }

  private:
    Session(const ration_front& front, Session* former);

    // A driver call under way in this thread: what the driver calls from within, passes through.
    class Deeper {
      public:
        explicit Deeper(const Session& session) : depth_(session.front_.depth()) { ++*depth_; }
        ~Deeper() { --*depth_; }
        Deeper(const Deeper&) = delete;
        Deeper& operator=(const Deeper&) = delete;

      private:
        int* const depth_;
    };

    const ration_front& front_;
    Session* const former_;  // the parent's: leaked on purpose, and kept reachable
    const pid_t pid_;
    const cuda::Driver driver_;
};

}  // namespace ration::engine
