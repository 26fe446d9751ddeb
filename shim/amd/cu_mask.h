// CU masks as AMDKFD_IOC_SET_CU_MASK takes them, and which CU each of their bits is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shim/amd/topology.h"

namespace ration::amd {

// Bit i % 32 of word i / 32. The ioctl counts bits: 32 for each word, at most 1024.
using Mask = std::vector<std::uint32_t>;

bool test(const Mask& mask, unsigned bit);
void set(Mask& mask, unsigned bit);

// All-zero, with as many words as the GPU's CUs need.
Mask blank(const Gpu& gpu);

// Where a CU is. On parts with several XCCs each has engines 0, 1, ... of its own.
struct Place {
    unsigned xcc = 0;
    unsigned engine = 0;
    unsigned array = 0;
    unsigned cu = 0;  // in its array
};

// The CU of each bit; nullopt for a bit that the kernel never looks at, which happens where XCCs
// differ in size. As mqd_symmetrically_map_cu_mask in kfd_mqd_manager.c: bit i belongs to XCC i
// modulo XCCs; in each XCC engines are the innermost loop, then arrays, CUs the outermost; what
// does not exist takes no bit; with pairs two bits stand for two CUs side by side.
std::vector<std::optional<Place>> places(const Gpu& gpu);

// CUs that the mask enables.
unsigned count_cus(const Mask& mask, const Gpu& gpu);

// Whether a queue runs under the mask: one without a CU in some XCC hangs, and the kernel refuses
// half a pair (pqm_update_mqd, gfx10 and newer).
bool every_xcc_has_cus(const Mask& mask, const Gpu& gpu);
bool pairs_are_whole(const Mask& mask, const Gpu& gpu);

// What both allow: `asked` by a program, `limit` by the policy. An empty limit is none; `asked` is
// cut to the GPU's CUs. Empty if what is left would hang the queue: no CU in some XCC.
Mask within(const Mask& asked, const Mask& limit, const Gpu& gpu);

// "0x00ffffff": all words, the highest first.
std::string hexadecimal(const Mask& mask);

}  // namespace ration::amd
