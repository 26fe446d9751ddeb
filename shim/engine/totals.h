// How many SMs the process's devices have as a whole.
#pragma once

#include <vector>

#include "shim/cuda/plan.h"
#include "shim/cuda/verify.h"

namespace ration::engine {

// Remembered in the runtime directory; NVML is asked where that does not do.
class TotalsSource {
  public:
    TotalsSource(const cuda::Plan& plan, const std::vector<cuda::Reading>& readings);

    const cuda::Totals& remembered() const { return remembered_; }

    // Whether NVML may tell more than verify() made of what is remembered: a device of unknown
    // size, or a result that is no plain grant and might come from a memory that is wrong.
    bool worth_asking(const cuda::Grant* grant) const;

    // From NVML, and remembered for the next process; what NVML does not tell, as remembered.
    cuda::Totals asked() const;

  private:
    bool needed_;
    std::size_t planned_notes_;
    cuda::Totals remembered_;
};

}  // namespace ration::engine
