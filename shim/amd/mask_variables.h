// HSA_CU_MASK and ROC_GLOBAL_CU_MASK: masks that others than ration have set for a process.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "shim/amd/cu_mask.h"

namespace ration::amd {

inline constexpr const char* kHsaMaskVariable = "HSA_CU_MASK";
inline constexpr const char* kHipMaskVariable = "ROC_GLOBAL_CU_MASK";

// Masks by a GPU's number in the list of ROCr, as far as they can be read: whatever follows the
// first mistake is ignored, and so are numbers that are too large.
struct HsaMasks {
    std::map<unsigned, Mask> masks;
    bool mistake = false;
};

// "0,2-4:0-15,32-47;1:0x337f", blanks and case without meaning (Flag::parse_masks in ROCr's
// flag.cpp).
HsaMasks read_hsa_masks(const std::string& value);

// The mask that ROCr puts on every queue of this GPU; nullopt: none. ROCr ignores one that has half
// a pair where CUs come in pairs (facts of ROCr 5.2.3 and 6.4.3).
std::optional<Mask> hsa_mask_of(const HsaMasks& masks, unsigned number, const Gpu& gpu);

// ROC_GLOBAL_CU_MASK, hexadecimal: what HIP puts on the streams' queues of every GPU, though not on
// those that ROCr makes for itself. nullopt: not a mask, or one whose bits are pairs (gfx10 and
// newer, since ROCm 5.7) or CUs (before), which cannot be told here.
std::optional<Mask> read_hip_mask(const std::string& value, const Gpu& gpu);

}  // namespace ration::amd
