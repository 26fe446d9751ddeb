#include "shim/amd/cu_mask.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace ration::amd {
namespace {

constexpr unsigned kBits = 32;

unsigned deepest_array(const Gpu& gpu) {
    return gpu.array_cus.empty() ? 0
                                 : *std::max_element(gpu.array_cus.begin(), gpu.array_cus.end());
}

// Deals bits to the arrays of one XCC.
class Dealer {
  public:
    Dealer(const Gpu& gpu, unsigned xcc, std::vector<std::optional<Place>>& places)
        : gpu_(gpu), xcc_(xcc), places_(places), bit_(xcc) {}

    void deal() {
        const unsigned step = gpu_.pairs ? 2 : 1;
        const unsigned deepest = deepest_array(gpu_);
        for (unsigned cu = 0; cu < deepest; cu += step) {
            for (unsigned array = 0; array < gpu_.arrays_per_engine; ++array) {
                for (unsigned engine = 0; engine < gpu_.engines_per_xcc(); ++engine) {
                    if (gpu_.cus_of_array(xcc_, engine, array) <= cu) continue;
                    take({xcc_, engine, array, cu}, step);
                    bit_ += step * gpu_.xccs;
                }
            }
        }
    }

  private:
    void take(const Place& place, unsigned step) {
        const unsigned there = gpu_.cus_of_array(xcc_, place.engine, place.array);
        for (unsigned i = 0; i < step && bit_ + i < places_.size(); ++i) {
            // The second of a pair may be switched off; its bit is taken all the same.
            if (place.cu + i < there) {
                places_[bit_ + i] = Place{place.xcc, place.engine, place.array, place.cu + i};
            }
        }
    }

    const Gpu& gpu_;
    const unsigned xcc_;
    std::vector<std::optional<Place>>& places_;
    unsigned bit_;
};

}  // namespace

bool test(const Mask& mask, unsigned bit) {
    return bit / kBits < mask.size() && (mask[bit / kBits] >> (bit % kBits) & 1U) != 0;
}

void set(Mask& mask, unsigned bit) { mask[bit / kBits] |= 1U << (bit % kBits); }

Mask blank(const Gpu& gpu) { return Mask((gpu.cus + kBits - 1) / kBits); }

std::vector<std::optional<Place>> places(const Gpu& gpu) {
    std::vector<std::optional<Place>> result(gpu.cus);
    for (unsigned xcc = 0; xcc < gpu.xccs; ++xcc) Dealer(gpu, xcc, result).deal();
    return result;
}

unsigned count_cus(const Mask& mask, const Gpu& gpu) {
    const auto all = places(gpu);
    unsigned count = 0;
    for (unsigned bit = 0; bit < all.size(); ++bit) count += all[bit] && test(mask, bit) ? 1 : 0;
    return count;
}

bool every_xcc_has_cus(const Mask& mask, const Gpu& gpu) {
    const auto all = places(gpu);
    std::vector<bool> has(gpu.xccs);
    for (unsigned bit = 0; bit < all.size(); ++bit) {
        if (all[bit] && test(mask, bit)) has[all[bit]->xcc] = true;
    }
    return std::all_of(has.begin(), has.end(), [](bool one) { return one; });
}

bool pairs_are_whole(const Mask& mask, const Gpu& gpu) {
    if (!gpu.pairs) return true;
    for (unsigned bit = 0; bit < mask.size() * kBits; bit += 2) {
        if (test(mask, bit) != test(mask, bit + 1)) return false;
    }
    return true;
}

Mask within(const Mask& asked, const Mask& limit, const Gpu& gpu) {
    Mask result = blank(gpu);
    for (std::size_t i = 0; i < result.size() && i < asked.size(); ++i) {
        result[i] = asked[i];
        if (!limit.empty()) result[i] &= i < limit.size() ? limit[i] : 0;
    }
    return every_xcc_has_cus(result, gpu) ? result : Mask{};
}

std::string hexadecimal(const Mask& mask) {
    std::string text = "0x";
    for (auto word = mask.rbegin(); word != mask.rend(); ++word) {
        std::array<char, 16> digits{};
        snprintf(digits.data(), digits.size(), "%08x", *word);
        text += digits.data();
    }
    return text;
}

}  // namespace ration::amd
