// What people are told of plans.
#include "shim/cuda/grant.h"
#include "shim/cuda/plan.h"
#include "shim/cuda/share.h"
#include "shim/policy/wording.h"

namespace ration::cuda {
namespace {

std::string device_shares_text(const std::vector<double>& shares) {
    std::string text;
    for (const double share : shares) text += (text.empty() ? "" : ", ") + percent_text(share);
    return text + " by device";
}

std::string describe(const MpsPipe& pipe) {
    return policy::one_line(pipe.directory, kMpsLongestPipe + 1) + " (" + name(pipe.state) + ")";
}

}  // namespace

const char* name(Applied applied) {
    switch (applied) {
        case Applied::kMps:
            return "mps";
        case Applied::kMig:
            return "mig";
        case Applied::kGreen:
            return "green";
        case Applied::kNone:
            break;
    }
    return "none";
}

std::string asked_text(const policy::Partition& partition) {
    if (partition.mig) return *partition.mig;
    if (partition.share) return percent_text(*partition.share);
    if (partition.sm) return std::to_string(*partition.sm) + " SMs";
    if (!partition.sm_groups.empty()) return "groups " + green::groups_text(partition.sm_groups);
    if (!partition.device_share.empty()) return device_shares_text(partition.device_share);
    return "all SMs";
}

std::string no_daemon_line(const std::vector<MpsPipe>& pipes, const std::string& without) {
    std::string tried;
    bool too_long = false;
    for (const MpsPipe& pipe : pipes) {
        tried += (tried.empty() ? "" : ", ") + describe(pipe);
        too_long |= pipe.state == PipeState::kTooLong;
    }
    std::string line = "no MPS daemon answers, and without one " + without + "; tried " + tried +
                       ": start one with `ration mps ensure`";
    if (too_long) {
        line += " (a pipe directory may have " + std::to_string(kMpsLongestPipe) +
                " characters at most)";
    }
    return line;
}

}  // namespace ration::cuda
