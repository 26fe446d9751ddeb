// Policy and process to partition: pure functions.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "shim/policy/names.h"
#include "shim/policy/policy.h"
#include "shim/policy/subject.h"

namespace ration::policy {

// Users are compared by the name of their account, or by number. `names` serves many matches.
bool matches(const Match& match, const Subject& subject, Names& names);
bool matches(const Match& match, const Subject& subject);

// What the policy says of one process.
struct Decision {
    enum class Kind { kIgnore, kDeny, kPartition, kError };
    Kind kind = Kind::kIgnore;
    Partition partition;                // kPartition; `scope` is the rule's, where it has one
    const Pool* pool = nullptr;         // the pool that the partition is a slot of
    std::optional<unsigned> rank;       // the slot that was taken
    std::string rank_variable;          // where the rank came from: "PARSL_WORKER_RANK"
    const Rule* rule = nullptr;         // null: no rule matched
    OnError on_error = OnError::kFail;  // kError: kFail, whatever the policy says
    std::string chosen_by;              // "RATION_USE" if that made the choice, else empty
    std::string error;  // kError: what is wrong with RATION_USE or the rank, and what to do
    Place place;        // of the rule or no_match that decided
};

Decision decide(const Policy& policy, const Subject& subject);

inline constexpr std::array<const char*, 9> kRankVariables{
    "RATION_RANK",
    "PARSL_WORKER_RANK",  // before SLURM_LOCALID, which Parsl's workers inherit from their manager
    "LOCAL_RANK",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "MV2_COMM_WORLD_LOCAL_RANK",
    "MPI_LOCALRANKID",
    "PMI_LOCAL_RANK",
    "PALS_LOCAL_RANKID",
    "SLURM_LOCALID",
};

// Local rank of a process: RATION_RANK, then the first that is set of the variables which Parsl,
// MPI launchers and schedulers use, in the order of kRankVariables. PMIX_RANK is global and not
// used; a variable that is empty counts as not set.
struct Rank {
    std::string variable;
    std::string text;                // as found
    std::optional<unsigned> number;  // nullopt: not a number
};
std::optional<Rank> local_rank(const Subject& subject);

// The cgroup that scope = "cgroup" means: the uppermost one above `cgroup` that the rule's own
// globs match, so that a job is one whose steps and tasks have cgroups of their own below it; else
// `cgroup` itself. Empty if that is.
std::string scope_cgroup(const std::vector<std::string>& globs, const std::string& cgroup);

// How the driver rounds a share: down to a multiple of `unit`, at least `minimum`.
struct Granularity {
    unsigned unit = 1;
    unsigned minimum = 1;
};
// MPS on NVIDIA: even counts, at least 8 (measured on one H100, driver 580: 1 % of 132 -> 8,
// 33.3 % -> 42, 75 % -> 98, 99 % -> 130).
inline constexpr Granularity kMpsGranularity{2, 8};
unsigned granted_units(double percent, unsigned total, Granularity granularity);

// A pool on one device of `total` units, rounded as a whole.
struct PoolRounding {
    std::vector<unsigned> granted;  // by slot; 0 where the slot is not on this device
    unsigned idle = 0;              // units that nobody gets
    unsigned excess = 0;            // units that are granted more than once
};
PoolRounding round_pool(const std::vector<double>& percents, unsigned total,
                        Granularity granularity);

}  // namespace ration::policy
