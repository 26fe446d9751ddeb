#include "shim/amd/share.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "shim/amd/layout.h"

namespace ration::amd {
namespace {

using policy::Distribution;

constexpr double kRoundingError = 1e-6;  // a third of 96 is 31.99999... in binary

// How many of the pieces, from the first on, come nearest to `cus`; at least one, fewer at half.
template <class Pieces, class Size>
std::size_t nearest(const Pieces& pieces, double cus, Size size) {
    double sum = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const double more = size(pieces[i]);
        if (i > 0 && cus - sum <= more / 2 + kRoundingError) return i;
        sum += more;
    }
    return pieces.size();
}

Part part_of(const std::vector<Unit>& units, const Gpu& gpu) {
    Part part{blank(gpu), size_of(units)};
    for (const Unit& unit : units) {
        for (const unsigned bit : unit) {
            set(part.mask, bit);
            if (gpu.pairs) set(part.mask, bit ^ 1U);
        }
    }
    return part;
}

// What a partition takes of a GPU that it has to itself: whole blocks, or units of one.
struct Take {
    std::size_t blocks = 0;
    std::size_t units = 0;
};

Take alone(const std::vector<Block>& blocks, const Gpu& gpu, double cus) {
    if (cus <= 0 || blocks.empty()) return {};
    if (cus + kRoundingError >= gpu.cus) return {blocks.size(), 0};
    const Block& first = blocks.front();
    if (cus + kRoundingError < first.cus()) {
        return {0, nearest(first.units, cus, [](const Unit& unit) { return unit.size(); })};
    }
    return {nearest(blocks, cus, [](const Block& block) { return block.cus(); }), 0};
}

void append(std::vector<Unit>& to, const std::vector<Unit>& units) {
    to.insert(to.end(), units.begin(), units.end());
}

// Moves the first `count` units, or as many as there are; returns how many.
std::size_t move_units(std::vector<Unit>& from, std::size_t count, std::vector<Unit>& to) {
    count = std::min(count, from.size());
    const auto end = from.begin() + static_cast<std::ptrdiff_t>(count);
    to.insert(to.end(), from.begin(), end);
    from.erase(from.begin(), end);
    return count;
}

struct Slot {
    double asked = 0;
    bool whole_blocks = false;  // else units
    double has = 0;             // CUs
    std::size_t pieces = 0;     // blocks or units
    std::vector<Unit> units;    // which

    bool takes_part() const { return asked > 0; }
    double lacks() const { return asked - has; }
};

// One pool on one GPU. Each piece goes to the slot that lacks most: so all get what they ask for,
// rounded down, before one gets the piece that rounds it up, and equal asks are a piece apart at
// most.
class Divider {
  public:
    Divider(const Gpu& gpu, Distribution distribution, const std::vector<double>& asks)
        : gpu_(gpu), distribution_(distribution), blocks_(cut(gpu, distribution)) {
        for (const double ask : asks) {
            const bool whole_blocks =
                !blocks_.empty() && ask + kRoundingError >= blocks_.front().cus();
            slots_.push_back({ask, whole_blocks, 0, 0, {}});
        }
    }

    // nullopt: there are more slots than pieces.
    std::optional<Division> disjoint() {
        const auto handed_out = hand_out_blocks();
        if (!handed_out || !hand_out_units(*handed_out)) return std::nullopt;
        return division();
    }

    // Each as if alone, behind the one before, from the start again where the end is reached.
    // Whole blocks begin with a block, and units stay within one.
    Division overlapping() {
        std::size_t block = 0;
        std::size_t unit = 0;
        for (Slot& slot : slots_) {
            const Take take = alone(blocks_, gpu_, slot.asked);
            const bool fits =
                unit == 0 || (take.blocks == 0 && unit + take.units <= blocks_[block].units.size());
            if (!fits) {
                ++block;
                unit = 0;
            }
            if (block + std::max<std::size_t>(take.blocks, 1) > blocks_.size() ||
                take.units > blocks_[block].units.size()) {
                block = 0;
                unit = 0;
            }
            for (std::size_t i = 0; i < take.blocks; ++i) {
                append(slot.units, blocks_[block++].units);
            }
            for (std::size_t i = 0; i < take.units; ++i) {
                slot.units.push_back(blocks_[block].units[unit++]);
            }
        }
        return division();
    }

  private:
    double unit_size() const { return least_cus(gpu_); }

    // The first of several.
    Slot* neediest(bool whole_blocks) {
        Slot* found = nullptr;
        for (Slot& slot : slots_) {
            if (!slot.takes_part() || slot.whole_blocks != whole_blocks) continue;
            if (found == nullptr || slot.lacks() > found->lacks() + kRoundingError) found = &slot;
        }
        return found;
    }

    static bool needs(const Slot* slot, double piece) {
        return slot != nullptr && slot->lacks() > piece / 2 + kRoundingError;
    }

    std::size_t units_from(std::size_t block) const {
        std::size_t count = 0;
        for (; block < blocks_.size(); ++block) count += blocks_[block].units.size();
        return count;
    }

    // What slots that take units are sure of, whatever is rounded up elsewhere.
    std::size_t units_kept() const {
        double kept = 0;
        for (const Slot& slot : slots_) {
            if (!slot.takes_part() || slot.whole_blocks) continue;
            kept += std::max(1.0, std::floor((slot.asked + kRoundingError) / unit_size()));
        }
        return static_cast<std::size_t>(kept);
    }

    // How many blocks are gone; nullopt: not one for each.
    std::optional<std::size_t> hand_out_blocks() {
        std::vector<Slot*> owners;  // by block
        const auto give = [&](Slot& slot) {
            slot.has += blocks_[owners.size()].cus();
            ++slot.pieces;
            owners.push_back(&slot);
        };
        for (Slot& slot : slots_) {
            if (!slot.whole_blocks) continue;
            if (owners.size() == blocks_.size()) return std::nullopt;
            give(slot);
        }
        const std::size_t kept = units_kept();
        while (owners.size() < blocks_.size() && units_from(owners.size() + 1) >= kept) {
            Slot* const slot = neediest(true);
            if (!needs(slot, blocks_[owners.size()].cus())) break;
            give(*slot);
        }
        sort_alike(owners);
        for (std::size_t i = 0; i < owners.size(); ++i) {
            append(owners[i]->units, blocks_[i].units);
        }
        return owners.size();
    }

    // Of blocks of one size each slot gets one range, in the order of the slots.
    void sort_alike(std::vector<Slot*>& owners) const {
        auto begin = owners.begin();
        while (begin != owners.end()) {
            const auto at = [&](auto owner) {
                return blocks_[static_cast<std::size_t>(owner - owners.begin())].cus();
            };
            auto end = begin;
            while (end != owners.end() && at(end) == at(begin)) ++end;
            std::sort(begin, end);
            begin = end;
        }
    }

    // Of the blocks from `block` on. False: not one for each.
    bool hand_out_units(std::size_t block) {
        std::size_t left = units_from(block);
        const auto give = [&](Slot& slot) {
            slot.has += unit_size();
            ++slot.pieces;
            --left;
        };
        for (Slot& slot : slots_) {
            if (!slot.takes_part() || slot.whole_blocks) continue;
            if (left == 0) return false;
            give(slot);
        }
        while (left > 0) {
            Slot* const slot = neediest(false);
            if (!needs(slot, unit_size())) break;
            give(*slot);
        }
        place_units(block);
        return true;
    }

    // Within one engine where one has room. Rows are as one, as that many CUs in a sequence are of
    // as many engines.
    void place_units(std::size_t block) {
        std::vector<std::vector<Unit>> rest;
        for (; block < blocks_.size(); ++block) {
            if (distribution_ == Distribution::kEngines || rest.empty()) rest.emplace_back();
            append(rest.back(), blocks_[block].units);
        }
        for (Slot& slot : slots_) {
            if (slot.whole_blocks) continue;
            std::size_t missing = slot.pieces;
            const auto room = std::find_if(rest.begin(), rest.end(), [&](const auto& units) {
                return units.size() >= missing;
            });
            if (room != rest.end()) {
                move_units(*room, missing, slot.units);
                continue;
            }
            for (auto& units : rest) missing -= move_units(units, missing, slot.units);
        }
    }

    Division division() const {
        Division division;
        Mask used = blank(gpu_);
        for (const Slot& slot : slots_) {
            division.parts.push_back(slot.units.empty() ? Part{} : part_of(slot.units, gpu_));
            const Mask& mask = division.parts.back().mask;
            for (std::size_t i = 0; i < mask.size(); ++i) used[i] |= mask[i];
        }
        division.idle = count_cus(whole(gpu_).mask, gpu_) - count_cus(used, gpu_);
        return division;
    }

    const Gpu& gpu_;
    const Distribution distribution_;
    const std::vector<Block> blocks_;
    std::vector<Slot> slots_;
};

}  // namespace

Part whole(const Gpu& gpu) {
    Part part{blank(gpu), 0};
    for (unsigned bit = 0; bit < gpu.cus; ++bit) set(part.mask, bit);
    if (gpu.pairs && gpu.cus % 2 != 0) set(part.mask, gpu.cus);
    part.cus = count_cus(part.mask, gpu);
    return part;
}

unsigned least_cus(const Gpu& gpu) { return gpu.xccs * (gpu.pairs ? 2 : 1); }

double cus_of(double percent, const Gpu& gpu) { return percent * gpu.cus / 100; }

Part lone(const Gpu& gpu, Distribution distribution, double cus) {
    if (cus + kRoundingError >= gpu.cus) return whole(gpu);
    const std::vector<Block> blocks = cut(gpu, distribution);
    const Take take = alone(blocks, gpu, cus);
    std::vector<Unit> units;
    for (std::size_t i = 0; i < take.blocks; ++i) append(units, blocks[i].units);
    for (std::size_t i = 0; i < take.units; ++i) units.push_back(blocks.front().units[i]);
    return part_of(units, gpu);
}

std::optional<Division> divide(const Gpu& gpu, Distribution distribution,
                               const std::vector<double>& asks, bool overlap) {
    Divider divider(gpu, distribution, asks);
    if (overlap) return divider.overlapping();
    if (std::accumulate(asks.begin(), asks.end(), 0.0) > gpu.cus + kRoundingError) {
        return std::nullopt;
    }
    return divider.disjoint();
}

}  // namespace ration::amd
