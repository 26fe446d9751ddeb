// Which groups of SMs this process has: by agreement with all of the node's others.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "shim/cuda/green/division.h"
#include "shim/cuda/green/homes.h"
#include "shim/cuda/refusal.h"
#include "shim/engine/green_wait.h"
#include "shim/state/groups.h"

namespace ration::engine {

// Takes groups in the node's lock files, and holds them until they are released or the process
// ends.
class GreenPlaces {
  public:
    explicit GreenPlaces(const cuda::green::GreenPlan& plan) : plan_(plan) {}

    // The groups of the device's part; none for the whole of it, which is noted too. Nothing where
    // others hold them: `wait` says when to ask again. Where the lock files cannot be used,
    // partitions that nobody was promised anything of have the first groups. Any thread; asked
    // again, it answers the same. Sleeps nowhere.
    std::optional<cuda::Or<std::vector<unsigned>>> take(CUdevice device,
                                                        const cuda::green::Part& part,
                                                        const std::string& driver, GreenWait& wait);

    // Gives a device's groups back. False: none were held.
    bool release(CUdevice device);

    // A hold that the program dropped, by closing our descriptor or the lock file.
    struct Dropped {
        CUdevice device = 0;
        std::string lost;  // why others have it now; "": it was free still, and is held again
    };
    // Holds again what was dropped since this was last asked. Each loss is told once. A few system
    // calls for each device: while another thread takes groups it answers none.
    std::vector<Dropped> keep();

  private:
    cuda::Or<std::vector<unsigned>> unaccounted(const cuda::green::Part& part,
                                                const std::string& why) const;
    state::Ask ask(const cuda::green::Part& part) const;

    const cuda::green::GreenPlan& plan_;
    std::mutex mutex_;  // guards what follows; held across no sleep
    std::array<std::unique_ptr<state::Groups>, cuda::green::kMostDevices> held_;
};

}  // namespace ration::engine
