// What policies and environments say of devices, as far as it is the same for every vendor.
#pragma once

#include <optional>
#include <string>

#include "shim/policy/policy.h"

namespace ration::host {

// The list of devices that this process was given. `visible`: the vendor's variable as it is now.
// If that is what ration set in an ancestor (`narrowed`), it is what stood there before (`given`).
std::optional<std::string> given_list(const std::optional<std::string>& visible,
                                      const std::optional<std::string>& given,
                                      const std::optional<std::string>& narrowed);

inline constexpr const char* kGivenAll = "all";  // in `given`: there was no list

// "CUDA_VISIBLE_DEVICES=0,1", or "CUDA_VISIBLE_DEVICES is not set"; one line, whatever the value
// is.
std::string describe_list(const char* variable, const std::optional<std::string>& value);

// Whether two PCI addresses are the same: hexadecimal, of any width, the domain may be left out.
bool same_pci(const std::string& one, const std::string& other);

// As the policy writes it: "device 3", "visible:0", "GPU-4f".
std::string describe(const policy::DeviceSelector& selector);

}  // namespace ration::host
