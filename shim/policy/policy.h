// A policy as values: what the TOML files say, checked and complete. No I/O here.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "shim/policy/diagnostic.h"

namespace ration::policy {

enum class Mechanism { kAuto, kMps, kMig, kGreen, kCuMask };

// How fine the SMs of an NVIDIA GPU are divided under green.
enum class SmGranularity {
    kGroup,  // the driver's co-scheduled groups: clusters and NCCL work
    kFine,   // its smallest groups
};

// Who shares one grant: the same SMs and, with `memory`, one quota.
enum class Scope {
    kProcess,  // nobody: each process has its own
    kSlot,     // the processes of one user that have this slot, or this partition
    kUser,     // those of one user
    kCgroup,   // those of one cgroup
};

// Which of the SM counts that it may come to have a program is told. As long as a grant does not
// change, they are one.
enum class Reported { kStart, kMax, kMin };

// What becomes of a context that the program makes with cuCtxCreate and that no mechanism confines.
enum class OwnContexts {
    kRefuse,   // the call fails
    kPrimary,  // the program gets the confined primary context instead
};

// How an AMD GPU's CUs are chosen.
enum class Distribution {
    kEven,     // the same number of each shader engine
    kEngines,  // all of a few shader engines
};

// Bits by shader engine: bit i is the i-th CU that works of the engine, its arrays one after the
// other. On parts with several XCCs the same engine of each.
using EngineMasks = std::map<unsigned, std::uint64_t>;

// What becomes of a GPU call when the grant cannot be had. A RATION_USE that is not offered and a
// rank without a slot fail in any case.
enum class OnError {
    kFail,  // the call fails with the API's own error code
    kWarn,  // one line on stderr, and the program runs without its share
};

// Bytes, or a percentage of each device's memory.
struct Memory {
    std::variant<std::uint64_t, double> amount;
};

// Which device, as the policy writes it.
struct DeviceSelector {
    enum class Kind {
        kIndex,    // 0: index on the node in PCI order, as nvidia-smi lists them
        kVisible,  // "visible:0": index into the list that the process was given
        kUuid,     // "GPU-..." or an unambiguous beginning of one
        kPci,      // "0000:17:00.0"
    };
    Kind kind = Kind::kIndex;
    unsigned index = 0;  // kIndex, kVisible
    std::string text;    // as written, for messages; the UUID (in small letters) or the address
};

// What a process is to get, as written. At most one of share, sm, sm_groups, device_share, cu,
// cu_mask and mig is set.
struct Partition {
    std::string name;  // "partition.quarter", or "pool.paper[2]" for a slot
    Place place;
    std::optional<double> share;  // percent of each device's SMs or CUs, above 0 and at most 100
    std::optional<unsigned> sm;   // number of SMs of each NVIDIA device
    std::vector<unsigned> sm_groups;   // groups of SMs of each device, ascending; empty: not given
    std::vector<double> device_share;  // percent by the place in `devices`; empty: not given
    std::optional<unsigned> cu;        // number of CUs of each AMD device
    std::optional<EngineMasks> cu_mask;  // CUs of each AMD device; never empty or all zero
    std::optional<std::string> mig;      // "MIG-<UUID>"
    std::optional<Memory> memory;
    std::vector<DeviceSelector> devices;  // empty: every device that the process sees
    std::optional<unsigned> priority;     // MPS client priority: 0 normal, 1 below normal
    Mechanism mechanism = Mechanism::kAuto;
    Distribution distribution = Distribution::kEven;
    SmGranularity granularity = SmGranularity::kGroup;
    bool exclusive = false;        // groups that no other partition on the device holds
    std::chrono::seconds wait{0};  // for groups, where exclusive finds none free
    Scope scope = Scope::kProcess;
    std::string scope_cgroup;  // set by decide(): whose processes share it if the scope is kCgroup
    Reported report = Reported::kStart;
    OwnContexts own_contexts = OwnContexts::kRefuse;
    bool override_visible = false;  // devices may lie outside the list that the process was given
};

// Slots of which a process takes one by its local rank.
struct Pool {
    std::string name;  // "pool.paper"
    Place place;
    std::vector<Partition> slots;
    bool oversubscribe = false;  // shares on one device may add up to more than 100 %
};

// Where a rule sends a process.
struct Use {
    enum class Kind { kIgnore, kDeny, kPartition, kPool };
    Kind kind = Kind::kIgnore;
    std::string name;  // "partition.x" or "pool.x" for these two kinds
    Place place;
};

// Conditions of a rule. A key that is absent matches everything; keys are ANDed, the entries of one
// key are ORed. All but user and group are globs in fnmatch(3)'s sense without FNM_PATHNAME, so `*`
// crosses slashes.
struct Match {
    std::vector<std::string> exe;     // resolved path of the executable
    std::vector<std::string> script;  // first script argument of an interpreter
    std::vector<std::string> argv;    // the arguments joined by single spaces
    std::vector<std::pair<std::string, std::vector<std::string>>> env;  // each name must match
    std::vector<std::string> user;                                      // names or decimal uids
    std::vector<std::string> group;   // names or decimal gids, supplementary ones included
    std::vector<std::string> cgroup;  // path of the cgroup, "/" first
    std::vector<std::string> host;    // gethostname(2)
};

struct Rule {
    Place place;
    Match match;
    Use use;
    std::vector<Use> may_use;  // what RATION_USE may choose instead
    std::optional<OnError> on_error;
    std::optional<Scope> scope;  // before the partition's own
    Place scope_place;
};

struct Policy {
    std::vector<std::string> files;  // in the order in which they were read
    OnError on_error = OnError::kFail;
    Use no_match;  // kIgnore unless the policy says otherwise
    bool locked = false;
    std::map<std::string, Partition> partitions;  // by "partition.x"
    std::map<std::string, Pool> pools;            // by "pool.x"
    std::vector<Rule> rules;                      // in the order of the files
};

}  // namespace ration::policy
