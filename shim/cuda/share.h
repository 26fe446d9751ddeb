// The MPS percentage: what the driver is told for what a policy asks.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace ration::cuda {

inline constexpr const char* kPercentageVariable = "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE";

// What the driver makes of CUDA_MPS_ACTIVE_THREAD_PERCENTAGE (measured: H100, driver 580.159.04):
// the number that the text begins with, fractions included; 100 if there is none, or if it is 0,
// negative or above 100. What strtod(3) takes is taken for a number ("+10", "0x10", "\n10"; not
// measured), so that a smaller share than the policy's is never overlooked.
double driver_percentage(const std::optional<std::string>& value);

// "25", "33.334": at most three decimals, rounded up at the last, so that a third of 132 SMs is 44
// and not 42. At least "0.001", because the driver reads "0" as 100.
inline constexpr double kPercentageStep = 1e-3;
std::string percentage_text(double percent);

// The percentage with which a device of each of these totals grants `sms` SMs: a whole number where
// there is one. An odd count is granted as the even one below, less than the driver's minimum as
// the minimum. nullopt if no percentage serves all totals.
std::optional<double> percentage_for_sms(unsigned sms, const std::vector<unsigned>& totals);

}  // namespace ration::cuda
