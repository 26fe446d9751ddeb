// The environment variables that ask for a policy. Without the C++ library: libration.so reads this
// list too, to know whether to load the engine at all.
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
inline constexpr const char* kNameVariable = "RATION_NAME";  // asks for nothing by itself

// Any of them, set and not empty, is a policy without a file.
inline constexpr const char* kAskingVariables[] = {
    kShareVariable, kMemoryVariable, kDeviceVariable, kMigVariable, kCuVariable, kCuMaskVariable};

}  // namespace ration::policy
