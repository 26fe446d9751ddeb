// How much of each device a process gets.
#pragma once

#include <vector>

#include "shim/cuda/green/green_plan.h"
#include "shim/cuda/green/layout.h"
#include "shim/cuda/green/rounding.h"

namespace ration::cuda::green {

struct Part {
    std::string uuid;
    Layout layout;  // empty where the whole device is asked for
    Need need;
    unsigned unit = 1;  // so many groups are co-scheduled together

    unsigned sms(unsigned total) const;  // `total`: of the device
};

// One part for each of the visible devices `uuids`, in their order. Refused by the first that is.
Or<std::vector<Part>> divide(const Calls& calls, const GreenPlan& plan,
                             const std::vector<std::string>& uuids);

// The groups that a process takes where nobody keeps account of who has which: the first ones.
std::vector<unsigned> first_groups(const Need& need);

}  // namespace ration::cuda::green
