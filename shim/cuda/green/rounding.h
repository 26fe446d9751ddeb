// From what a policy asks to groups of SMs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shim/cuda/green/layout.h"
#include "shim/cuda/refusal.h"

namespace ration::cuda::green {

// What a policy asks of one device. At most one is set; none: the whole device.
struct Wish {
    std::optional<double> share;   // percent
    std::optional<unsigned> sm;    // SMs
    std::vector<unsigned> groups;  // by number, ascending
};

// Nothing is asked of the driver then: an old one serves as well.
bool asks_for_all(const Wish& wish);

// What that comes to.
struct Need {
    bool whole = false;           // the whole device: no green context at all
    unsigned count = 0;           // of groups
    std::vector<unsigned> named;  // which, where the policy says so
    std::string note;             // why it is less than was asked; empty: it is not
};

// As many groups as fit into what is asked: never more SMs than that, so that shares which add up
// to a device fit it. Refused, with what is possible on this device: less than one group, more SMs
// than there are, groups that do not exist.
Or<Need> round_to_groups(const Wish& wish, const Layout& layout);

// "0-3,7"
std::string groups_text(const std::vector<unsigned>& groups);

// SMs of these groups, which exist.
unsigned sms_of(const Layout& layout, const std::vector<unsigned>& groups);

}  // namespace ration::cuda::green
