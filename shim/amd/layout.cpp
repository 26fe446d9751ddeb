#include "shim/amd/layout.h"

#include <algorithm>
#include <map>
#include <utility>

namespace ration::amd {
namespace {

// By which block a CU belongs to, and its CUs or pairs of each XCC in turn.
using Key = std::pair<unsigned, unsigned>;
using ByXcc = std::vector<std::vector<Unit>>;

Key key_of(const Place& place, const Gpu& gpu, policy::Distribution distribution) {
    if (distribution == policy::Distribution::kEngines) return {place.engine, 0};
    return {gpu.pairs ? place.cu / 2 : place.cu, place.array};
}

void add_bit(std::vector<Unit>& to, unsigned bit, bool pairs) {
    const bool second = pairs && !to.empty() && to.back().back() / 2 == bit / 2;
    if (!second) to.emplace_back();
    to.back().push_back(bit);
}

// Unit k has the k-th CU or pair of each XCC. What an XCC has beyond the others goes with the last
// unit, because no unit may leave an XCC without a CU.
std::vector<Unit> units_of(const ByXcc& by_xcc) {
    std::size_t count = by_xcc.front().size();
    for (const auto& of_xcc : by_xcc) count = std::min(count, of_xcc.size());
    std::vector<Unit> units(count);
    if (count == 0) return units;
    for (const auto& of_xcc : by_xcc) {
        for (std::size_t i = 0; i < of_xcc.size(); ++i) {
            Unit& unit = units[std::min(i, count - 1)];
            unit.insert(unit.end(), of_xcc[i].begin(), of_xcc[i].end());
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
    std::map<Key, ByXcc> by_key;
    const auto all = places(gpu);
    for (unsigned bit = 0; bit < all.size(); ++bit) {
        if (!all[bit]) continue;
        ByXcc& by_xcc = by_key[key_of(*all[bit], gpu, distribution)];
        by_xcc.resize(gpu.xccs);
        add_bit(by_xcc[all[bit]->xcc], bit, gpu.pairs);
    }
    std::vector<Block> blocks;
    Unit left_over;  // of rows that some XCC has none of
    for (const auto& [key, by_xcc] : by_key) {
        Block block{units_of(by_xcc)};
        if (!block.units.empty()) {
            blocks.push_back(std::move(block));
            continue;
        }
        for (const auto& of_xcc : by_xcc) {
            for (const Unit& unit : of_xcc) {
                left_over.insert(left_over.end(), unit.begin(), unit.end());
            }
        }
    }
    std::stable_sort(blocks.begin(), blocks.end(),
                     [](const Block& one, const Block& other) { return one.cus() > other.cus(); });
    if (!blocks.empty()) {
        Unit& last = blocks.back().units.back();
        last.insert(last.end(), left_over.begin(), left_over.end());
    }
    return blocks;
}

}  // namespace ration::amd
