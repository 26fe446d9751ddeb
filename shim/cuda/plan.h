// From a partition to what the driver is to be told.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shim/cuda/green/green_plan.h"
#include "shim/cuda/inventory.h"
#include "shim/cuda/mps_pipe.h"
#include "shim/cuda/refusal.h"
#include "shim/host/environment.h"
#include "shim/policy/policy.h"
#include "shim/policy/search.h"

namespace ration::cuda {

// What the plan depends on outside the policy. The inventory and the pipes are asked at most once,
// and only if the partition needs them.
struct Surroundings {
    policy::Environment environment;
    std::function<Inventory(bool with_mig)> inventory;
    std::function<std::vector<MpsPipe>()> pipes;  // probe_pipes()
};

enum class Applied { kNone, kMps, kMig, kGreen };
const char* name(Applied applied);  // "none", "mps", "mig", "green"

// A device that the process will see.
struct Goal {
    std::string uuid;
    unsigned total = 0;        // SMs of the whole device; 0: unknown
    std::uint64_t memory = 0;  // limit in MiB; 0: none
};

// What one slot of a pool takes of its devices.
struct SlotUse {
    std::optional<double> share;     // percent
    std::optional<unsigned> sm;      // SMs
    std::vector<std::string> uuids;  // empty: of every device
};

// A quota of each device's memory that ration counts by itself (quota/), and who shares it.
struct CountedMemory {
    policy::Memory memory;
    policy::Scope scope = policy::Scope::kProcess;
    std::string slot;     // the partition's name, by which a scope of slots is known
    std::string cgroup;   // of a scope of cgroups
    policy::Place place;  // of the partition
};

struct Plan {
    Applied applied = Applied::kNone;
    // MPS variables: the driver reads them in cuInit and never again (measured).
    host::Edits temporary;
    // Device variables: they stay narrowed, so that children and whoever asks getenv and NVML agree
    // with the driver.
    host::Edits lasting;
    std::vector<Goal> goals;        // empty if the inventory was not needed
    bool bound_to_goals = false;    // what is told is for these devices, and must be for all
    std::optional<double> percent;  // what the driver is told; nullopt: nothing
    std::optional<green::GreenPlan> green;  // kGreen
    std::optional<double> share;  // what the policy asks, as a percentage; nullopt: no share
    std::string asked;            // asked_text()
    std::string pool;             // name of the pool whose slots follow; empty: none
    std::vector<SlotUse> slots;   // of a pool that must fit its devices
    std::vector<std::string> notes;
    std::optional<CountedMemory> counted;  // else the driver keeps what `goals` say
};

// Pure but for `surroundings`. `pool`: the one that the partition is a slot of, or null. Refused:
// no MPS daemon where one is needed, devices or a MIG instance that are not there or not allowed,
// an SM count that no percentage gives, a limit below 1 MiB.
Or<Plan> make_plan(const policy::Partition& partition, const policy::Pool* pool,
                   const Surroundings& surroundings);

// Whether the partition needs an MPS daemon.
bool needs_mps(const policy::Partition& partition);

// "25 %", "32 SMs", "MIG-...", "all SMs": what a policy asks of the SMs, for people.
std::string asked_text(const policy::Partition& partition);

// The line that says that no MPS daemon answers, what comes of that, where one was looked for, and
// what to do.
std::string no_daemon_line(const std::vector<MpsPipe>& pipes, const std::string& without);

}  // namespace ration::cuda
