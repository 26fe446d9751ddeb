// What was obtained, and how it is told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shim/state/record.h"

namespace ration::cuda {

struct DeviceGrant {
    std::string uuid;
    unsigned granted = 0;      // SMs
    unsigned total = 0;        // SMs of the whole device; 0: unknown
    std::uint64_t memory = 0;  // quota in MiB; 0: none
    std::string groups = {};   // of SMs: "0-3"; empty: not told, or all
};

struct Grant {
    std::string asked;      // "25 %"
    std::string mechanism;  // "mps", "mig", "green", or "none" where only devices were asked for
    bool concurrent = false;
    std::vector<DeviceGrant> devices;
    std::vector<std::string> notes;  // what is worth knowing of it
    bool counted = false;            // the memory quota is ration's, not the driver's
};

// "32 of 132 SMs (24.2 %)", "32 SMs" where the total is unknown, "..., groups 0-3" where these are
// known; several devices: "32 of 132 SMs
// (24.2 %) on each of 2 devices", or each device's count if they differ.
std::string granted_text(const std::vector<DeviceGrant>& devices);

// The percentage as people write it: "25 %", "33.333 %".
std::string percent_text(double percent);

// The line that ends every `explain` and stands in the log: "asked 25 %, granted 32 of 132 SMs
// (24.2 %), mps, concurrent: yes, memory 2048 MiB", followed by ", counted by ration" where the
// driver does not keep it. From a record, so that `ration ps` can tell it
// of other processes.
std::string grant_line(const state::Record& record);

// Puts the grant into the record's fields.
void describe(const Grant& grant, state::Record& record);

}  // namespace ration::cuda
