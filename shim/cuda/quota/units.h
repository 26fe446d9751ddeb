// A quota that the processes of a scope share, as a supply.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "shim/cuda/quota/account.h"
#include "shim/state/quota_units.h"

namespace ration::cuda::quota {

// Units of 2 MiB. `say` is told each time why no unit could be locked, if that is not because the
// quota is used up.
class Units : public Supply {
  public:
    using Say = std::function<void(const std::string&)>;
    Units(std::unique_ptr<state::QuotaUnits> units, Say say)
        : units_(std::move(units)), say_(std::move(say)) {}

    std::uint64_t take(std::uint64_t least, std::uint64_t wanted) override;
    void give(std::uint64_t bytes) override;
    std::uint64_t left() override;
    std::uint64_t unit() const override { return state::kBytesOfUnit; }

  private:
    const std::unique_ptr<state::QuotaUnits> units_;
    const Say say_;
};

}  // namespace ration::cuda::quota
