// Says to the node's other processes that this one has a percentage of a device's SMs.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "shim/cuda/refusal.h"
#include "shim/state/groups.h"

namespace ration::engine {

// Nobody knows on which SMs a percentage of MPS runs, so no process may have groups of the device
// exclusively meanwhile. The mark ends with the process. Not for several threads at once.
class PercentageMark {
  public:
    // Refused if another process has groups of the device exclusively. Where the lock files cannot
    // be used the log says so, and nothing is refused: nobody can have exclusive groups there.
    std::optional<cuda::Refusal> set(const std::string& uuid);

  private:
    std::map<std::string, std::unique_ptr<state::Groups>> marks_;  // by the device's UUID
};

}  // namespace ration::engine
