#include "shim/amd/share.h"

#include <algorithm>
#include <cmath>

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

// What a slot of a pool takes: whole blocks, or units of one.
struct Take {
    double asked = 0;
    std::size_t blocks = 0;
    std::size_t units = 0;
};

class Divider {
  public:
    Divider(const Gpu& gpu, Distribution distribution)
        : gpu_(gpu), distribution_(distribution), blocks_(cut(gpu, distribution)) {}

    Take alone(double cus) const {
        Take take{cus, 0, 0};
        if (cus <= 0 || blocks_.empty()) return take;
        if (cus + kRoundingError >= gpu_.cus) {
            take.blocks = blocks_.size();
        } else if (cus + kRoundingError >= blocks_.front().cus()) {
            take.blocks = nearest(blocks_, cus, [](const Block& block) { return block.cus(); });
        } else {
            take.units =
                nearest(blocks_.front().units, cus, [](const Unit& u) { return u.size(); });
        }
        return take;
    }

    std::vector<Unit> first(const Take& take) const {
        std::vector<Unit> units;
        for (std::size_t i = 0; i < take.blocks; ++i) append(units, blocks_[i].units);
        if (take.units > 0) {
            const std::vector<Unit>& of_first = blocks_.front().units;
            units.assign(of_first.begin(),
                         of_first.begin() + static_cast<std::ptrdiff_t>(take.units));
        }
        return units;
    }

    // nullopt: what the slots take is more than there is.
    std::optional<Division> place(const std::vector<Take>& takes) const {
        std::vector<std::vector<Unit>> of_slot(takes.size());
        std::size_t next = 0;
        for (std::size_t i = 0; i < takes.size(); ++i) {
            if (next + takes[i].blocks > blocks_.size()) return std::nullopt;
            for (std::size_t k = 0; k < takes[i].blocks; ++k) {
                append(of_slot[i], blocks_[next++].units);
            }
        }
        std::vector<std::vector<Unit>> rest = rest_from(next);
        for (std::size_t i = 0; i < takes.size(); ++i) {
            const auto room = std::find_if(rest.begin(), rest.end(), [&](const auto& units) {
                return units.size() >= takes[i].units;
            });
            if (takes[i].units == 0) continue;
            if (room == rest.end()) return std::nullopt;
            const auto end = room->begin() + static_cast<std::ptrdiff_t>(takes[i].units);
            of_slot[i].assign(room->begin(), end);
            room->erase(room->begin(), end);
        }
        return division_of(of_slot);
    }

    // Each as if alone, behind the one before, from the start again where the end is reached.
    Division overlap(const std::vector<Take>& takes) const {
        std::vector<Unit> all;
        for (const Block& block : blocks_) append(all, block.units);
        std::vector<std::vector<Unit>> of_slot(takes.size());
        std::size_t next = 0;
        for (std::size_t i = 0; i < takes.size(); ++i) {
            const std::size_t count = first(takes[i]).size();
            if (next + count > all.size()) next = 0;
            const auto begin = all.begin() + static_cast<std::ptrdiff_t>(next);
            of_slot[i].assign(begin, begin + static_cast<std::ptrdiff_t>(count));
            next += count;
        }
        return division_of(of_slot);
    }

  private:
    static void append(std::vector<Unit>& to, const std::vector<Unit>& units) {
        to.insert(to.end(), units.begin(), units.end());
    }

    // Where those find room that take less than a block: inside of one engine, but across rows,
    // as that many CUs in a sequence are of as many engines.
    std::vector<std::vector<Unit>> rest_from(std::size_t block) const {
        std::vector<std::vector<Unit>> rest;
        for (; block < blocks_.size(); ++block) {
            if (distribution_ == Distribution::kEngines || rest.empty()) rest.emplace_back();
            append(rest.back(), blocks_[block].units);
        }
        return rest;
    }

    Division division_of(const std::vector<std::vector<Unit>>& of_slot) const {
        Division division;
        Mask used = blank(gpu_);
        for (const std::vector<Unit>& units : of_slot) {
            division.parts.push_back(units.empty() ? Part{} : part_of(units, gpu_));
            const Mask& mask = division.parts.back().mask;
            for (std::size_t i = 0; i < mask.size(); ++i) used[i] |= mask[i];
        }
        division.idle = count_cus(whole(gpu_).mask, gpu_) - count_cus(used, gpu_);
        return division;
    }

    const Gpu& gpu_;
    const Distribution distribution_;
    const std::vector<Block> blocks_;
};

// Takes a piece from whoever was rounded up most, the last one of several.
bool reduce(std::vector<Take>& takes, const Divider& divider) {
    Take* most = nullptr;
    double most_above = 0;
    for (Take& take : takes) {
        if (take.blocks + take.units < 2) continue;
        const double above = size_of(divider.first(take)) - take.asked;
        if (most == nullptr || above >= most_above - kRoundingError) {
            most = &take;
            most_above = above;
        }
    }
    if (most == nullptr) return false;
    if (most->blocks > 0) {
        --most->blocks;
    } else {
        --most->units;
    }
    return true;
}

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
    const Divider divider(gpu, distribution);
    return part_of(divider.first(divider.alone(cus)), gpu);
}

std::optional<Division> divide(const Gpu& gpu, Distribution distribution,
                               const std::vector<double>& asks, bool overlap) {
    const Divider divider(gpu, distribution);
    std::vector<Take> takes;
    double sum = 0;
    for (const double ask : asks) {
        takes.push_back(divider.alone(ask));
        sum += ask;
    }
    if (overlap) return divider.overlap(takes);
    if (sum > gpu.cus + kRoundingError) return std::nullopt;
    while (true) {
        if (auto division = divider.place(takes)) return division;
        if (!reduce(takes, divider)) return std::nullopt;
    }
}

}  // namespace ration::amd
