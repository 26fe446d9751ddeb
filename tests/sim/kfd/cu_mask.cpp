#include "tests/sim/kfd/cu_mask.h"

#include <algorithm>
#include <bit>

namespace sim::kfd {
namespace {

constexpr unsigned kMaxCusPerArray = 16;  // half of a shader engine's register

bool bit(const Mask& mask, unsigned index) { return (mask[index / 32] >> (index % 32) & 1) != 0; }

// One XCC of several takes every xccs-th unit, beginning with its own number.
Engines map_xcc(const Layout& layout, const Mask& mask, unsigned xcc) {
    Engines engines(layout.cus.size(), 0);
    const unsigned bits = std::min(static_cast<unsigned>(mask.size()) * 32, layout.total());
    const unsigned unit = layout.pairs ? 2 : 1;
    const std::uint32_t enable = layout.pairs ? 3 : 1;
    unsigned next = xcc;
    for (unsigned cu = 0; cu < kMaxCusPerArray; cu += unit) {
        for (unsigned array = 0; array < layout.cus[0].size(); ++array) {
            for (unsigned engine = 0; engine < engines.size(); ++engine) {
                if (layout.cus[engine][array] <= cu) continue;
                if (next >= bits) return engines;
                // Of a pair the kernel looks at both bits: either enables both.
                const bool on =
                    bit(mask, next) || (layout.pairs && next + 1 < bits && bit(mask, next + 1));
                if (on) engines[engine] |= enable << (cu + 16 * array);
                next += unit * layout.xccs;
            }
        }
    }
    return engines;
}

}  // namespace

unsigned Layout::per_xcc() const {
    unsigned sum = 0;
    for (const auto& engine : cus) {
        for (const unsigned array : engine) sum += array;
    }
    return sum;
}

std::vector<Engines> map_mask(const Layout& layout, const Mask& mask) {
    std::vector<Engines> xccs;
    for (unsigned xcc = 0; xcc < layout.xccs; ++xcc) xccs.push_back(map_xcc(layout, mask, xcc));
    return xccs;
}

std::vector<Engines> all_engines(const Layout& layout) {
    return map_mask(layout, Mask((layout.total() + 31) / 32, ~0U));
}

unsigned count_cus(const std::vector<Engines>& xccs) {
    int sum = 0;
    for (const Engines& engines : xccs) {
        for (const std::uint32_t engine : engines) sum += std::popcount(engine);
    }
    return static_cast<unsigned>(sum);
}

bool hangs(const std::vector<Engines>& xccs) {
    return std::any_of(xccs.begin(), xccs.end(), [](const Engines& engines) {
        return std::all_of(engines.begin(), engines.end(), [](std::uint32_t e) { return e == 0; });
    });
}

const char* refuse_bits(unsigned bits) {
    if (bits == 0) return "no bits";
    if (bits % 32 != 0) return "not a multiple of 32 bits";
    return nullptr;
}

const char* refuse_mask(const Layout& layout, const Mask& mask) {
    if (!layout.pairs) return nullptr;
    for (unsigned index = 0; index < mask.size() * 32; index += 2) {
        if (bit(mask, index) != bit(mask, index + 1)) return "half of a work-group processor";
    }
    return nullptr;
}

}  // namespace sim::kfd
