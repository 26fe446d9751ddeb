#include "shim/cuda/choose.h"

namespace ration::cuda {
namespace {

using policy::Mechanism;
using policy::Partition;

bool counts_sms(const Partition& partition) {
    return partition.share || partition.sm || !partition.sm_groups.empty() ||
           !partition.device_share.empty();
}

// Why an MPS percentage will not do; nullptr if it will.
const char* only_groups(const Partition& partition) {
    if (!partition.sm_groups.empty()) return "sm_groups names groups of SMs";
    if (!partition.device_share.empty()) {
        return "device_share differs by device, and a process has one MPS percentage";
    }
    if (partition.exclusive) return "exclusive hands out groups of SMs";
    if (partition.granularity == policy::SmGranularity::kFine) {
        return "granularity is one of groups of SMs";
    }
    if (partition.scope != policy::Scope::kProcess && counts_sms(partition)) {
        return "scope shares SMs between processes, and an MPS percentage is each process's own";
    }
    return nullptr;
}

Choice written(Mechanism mechanism, const char* name, bool needs_daemon) {
    return {mechanism, needs_daemon, std::string("mechanism = \"") + name + "\" is written"};
}

}  // namespace

Choice choose_mechanism(const Partition& partition) {
    if (partition.mig) return {Mechanism::kMig, false, "mig names an instance"};
    if (partition.mechanism == Mechanism::kGreen) return written(Mechanism::kGreen, "green", false);
    if (partition.mechanism == Mechanism::kMps) return written(Mechanism::kMps, "mps", true);
    if (const char* why = only_groups(partition)) return {Mechanism::kGreen, true, why};
    if (counts_sms(partition)) return {Mechanism::kMps, true, "a share alone is an MPS percentage"};
    if (partition.priority) return {Mechanism::kMps, true, "priority is one of MPS clients"};
    if (partition.memory && partition.scope == policy::Scope::kProcess) {
        return {Mechanism::kMps, false, "an MPS daemon, where one answers, keeps a memory limit"};
    }
    return {std::nullopt, false, "no SMs are asked for"};
}

}  // namespace ration::cuda
