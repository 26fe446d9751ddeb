// From what a policy writes of devices to GPUs.
#pragma once

#include <string>
#include <vector>

#include "shim/amd/refusal.h"
#include "shim/amd/visible.h"
#include "shim/policy/policy.h"

namespace ration::amd {

// What bounds the choice.
struct Bounds {
    Visible given;                  // given_devices()
    std::string lists;              // describe_lists()
    bool override_visible = false;  // the policy may leave the given list
};

// Places in PCI order of what `selectors` name, in their order. Refused: what this node does not
// have, what fits several GPUs (the beginning of a UUID, the PCI address of a GPU that is
// partitioned), a GPU named twice, and one outside of the given list. Each refusal lists what there
// is.
Or<std::vector<std::size_t>> select_devices(const std::vector<policy::DeviceSelector>& selectors,
                                            const std::vector<Gpu>& gpus, const Bounds& bounds);

}  // namespace ration::amd
