// Where a policy may come from: variables and folders. Without the C++ library: libration.so reads
// this list too, to know whether to load the engine at all.
#pragma once

namespace ration::policy {

inline constexpr const char* kPolicyVariable = "RATION_POLICY";

// By these `ration run` passes its flags on.
inline constexpr const char* kShareVariable = "RATION_SHARE";
inline constexpr const char* kMemoryVariable = "RATION_MEMORY";
inline constexpr const char* kDeviceVariable = "RATION_DEVICE";
inline constexpr const char* kMigVariable = "RATION_MIG";
inline constexpr const char* kCuVariable = "RATION_CU";
inline constexpr const char* kCuMaskVariable = "RATION_CU_MASK";
inline constexpr const char* kSmVariable = "RATION_SM";
inline constexpr const char* kSmGroupsVariable = "RATION_SM_GROUPS";
inline constexpr const char* kDeviceShareVariable = "RATION_DEVICE_SHARE";
inline constexpr const char* kPriorityVariable = "RATION_PRIORITY";
// These ask for nothing by themselves.
inline constexpr const char* kMechanismVariable = "RATION_MECHANISM";
inline constexpr const char* kDistributionVariable = "RATION_DISTRIBUTION";
inline constexpr const char* kGranularityVariable = "RATION_GRANULARITY";
inline constexpr const char* kExclusiveVariable = "RATION_EXCLUSIVE";
inline constexpr const char* kWaitVariable = "RATION_WAIT";
inline constexpr const char* kScopeVariable = "RATION_SCOPE";
inline constexpr const char* kReportVariable = "RATION_REPORT";
inline constexpr const char* kOwnContextsVariable = "RATION_OWN_CONTEXTS";
inline constexpr const char* kOverrideVisibleVariable = "RATION_OVERRIDE_VISIBLE";
inline constexpr const char* kNameVariable = "RATION_NAME";

// Any of them, set and not empty, is a policy without a file.
inline constexpr const char* kAskingVariables[] = {
    kShareVariable,  kMemoryVariable, kDeviceVariable,   kMigVariable,         kCuVariable,
    kCuMaskVariable, kSmVariable,     kSmGroupsVariable, kDeviceShareVariable, kPriorityVariable};

// The site's: policy.toml and policy.d/*.toml in the first, policy.d/*.toml in the second, where a
// root prolog writes one for each job.
inline constexpr const char* kEtcFolder = "/etc/ration";
inline constexpr const char* kRunFolder = "/run/ration";
inline constexpr const char* kPolicyFile = "/policy.toml";
inline constexpr const char* kPolicyFolder = "/policy.d";

// A user's own, below $XDG_CONFIG_HOME and, where that is not set, below $HOME.
inline constexpr const char* kConfigFile = "/ration/policy.toml";
inline constexpr const char* kHomeFile = "/.config/ration/policy.toml";

}  // namespace ration::policy
