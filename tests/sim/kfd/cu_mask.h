// What a CU mask means to the silicon, by the rules of the Linux kernel. Pure functions.
#pragma once
#include <cstdint>
#include <vector>

namespace sim::kfd {

using Mask =
    std::vector<std::uint32_t>;  // bit i of word i / 32, as AMDKFD_IOC_SET_CU_MASK takes it

// Where the CUs of a (logical) GPU are. Every XCC has the same ones.
struct Layout {
    unsigned xccs = 1;
    bool pairs = false;                      // gfx10 and newer: CUs come as work-group processors
    std::vector<std::vector<unsigned>> cus;  // [engine][array]: working CUs, in one XCC

    unsigned per_xcc() const;
    unsigned total() const { return per_xcc() * xccs; }
};

// What one XCC's shader engines are told: array 0 in bits 0-15, array 1 in bits 16-31.
using Engines = std::vector<std::uint32_t>;

// [XCC][engine]. Rule: mqd_symmetrically_map_cu_mask() in amdkfd/kfd_mqd_manager.c, Linux 6.8.
std::vector<Engines> map_mask(const Layout& layout, const Mask& mask);

// The engines of a queue whose mask was never set: all CUs.
std::vector<Engines> all_engines(const Layout& layout);

unsigned count_cus(const std::vector<Engines>& xccs);

// True if there is an XCC without a single CU: its share of the queue's work never ends.
bool hangs(const std::vector<Engines>& xccs);

// Why the kernel refuses a mask of `bits` bits with EINVAL; nullptr if it takes it. An all-zero
// mask is not refused: the queue hangs. Rules: kfd_ioctl_set_cu_mask() and pqm_update_mqd().
const char* refuse_bits(unsigned bits);
const char* refuse_mask(const Layout& layout, const Mask& mask);

// Bits that the kernel looks at; further ones are dropped.
constexpr unsigned kMaxMaskBits = 1024;

}  // namespace sim::kfd
