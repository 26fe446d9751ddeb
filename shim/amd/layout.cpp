#include "shim/amd/layout.h"

#include <algorithm>
#include <map>
#include <utility>

namespace ration::amd {
namespace {

// By which block a CU belongs to, and the bits of it for each XCC in turn.
using Key = std::pair<unsigned, unsigned>;
using BitsByXcc = std::vector<std::vector<unsigned>>;

Key key_of(const Place& place, const Gpu& gpu, policy::Distribution distribution) {
    if (distribution == policy::Distribution::kEngines) return {place.engine, 0};
    return {gpu.pairs ? place.cu / 2 : place.cu, place.array};
}

// Unit k has the k-th CU or pair of each XCC. What an XCC has beyond the others goes with the last
// unit, because no unit may leave an XCC without a CU.
std::vector<Unit> units_of(const BitsByXcc& bits, unsigned step) {
    std::size_t least = bits.front().size();
    for (const auto& of_xcc : bits) least = std::min(least, of_xcc.size());
    const std::size_t count = (least + step - 1) / step;
    std::vector<Unit> units(count);
    if (count == 0) return units;
    for (const auto& of_xcc : bits) {
        for (std::size_t i = 0; i < of_xcc.size(); ++i) {
            units[std::min(i / step, count - 1)].push_back(of_xcc[i]);
        }
    }
    return units;
}

}  // namespace

unsigned size_of(const std::vector<Unit>& units) {
    std::size_t count = 0;
    for (const Unit& unit : units) count += unit.size();
    return static_cast<unsigned>(count);
}

unsigned Block::cus() const { return size_of(units); }

std::vector<Block> cut(const Gpu& gpu, policy::Distribution distribution) {
    std::map<Key, BitsByXcc> by_key;
    const auto all = places(gpu);
    for (unsigned bit = 0; bit < all.size(); ++bit) {
        if (!all[bit]) continue;
        BitsByXcc& bits = by_key[key_of(*all[bit], gpu, distribution)];
        bits.resize(gpu.xccs);
        bits[all[bit]->xcc].push_back(bit);
    }
    std::vector<Block> blocks;
    std::vector<unsigned> left_over;  // of rows that some XCC has none of
    for (const auto& [key, bits] : by_key) {
        Block block{units_of(bits, gpu.pairs ? 2 : 1)};
        if (!block.units.empty()) {
            blocks.push_back(std::move(block));
            continue;
        }
        for (const auto& of_xcc : bits) {
            left_over.insert(left_over.end(), of_xcc.begin(), of_xcc.end());
        }
    }
    if (!blocks.empty()) {
        Unit& last = blocks.back().units.back();
        last.insert(last.end(), left_over.begin(), left_over.end());
    }
    return blocks;
}

}  // namespace ration::amd
