// Errors to inject, as SIM_KFD_FAIL describes them.
//
//   SIM_KFD_FAIL = FAULT { "," FAULT }
//   FAULT        = IOCTL "=" ERROR [ "*" COUNT ] [ "@" FIRST ]
//
// IOCTL is the name behind AMDKFD_IOC_, ERROR a name or number of errno.h. The FIRST-th call of the
// process (default: the first) and the COUNT - 1 after it (default: all) fail before they do
// anything. Of SET_CU_MASK only calls for a queue that exists count and fail.
#pragma once
#include <mutex>
#include <string>
#include <vector>

namespace sim::kfd {

class Faults {
  public:
    explicit Faults(const std::string& description);

    // Counts a call of `ioctl`; its error, or 0.
    int next(const std::string& ioctl);
    // Why the description can't be used; empty if it can.
    const std::string& error() const { return error_; }

  private:
    struct Fault {
        std::string ioctl;
        int error;
        unsigned long count;
        unsigned long first;
        unsigned long calls;
    };
    bool add(const std::string& item);

    std::mutex mutex_;
    std::vector<Fault> faults_;
    std::string error_;
};

}  // namespace sim::kfd
