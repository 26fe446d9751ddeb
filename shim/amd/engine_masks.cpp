#include "shim/amd/engine_masks.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "shim/amd/wording.h"

namespace ration::amd {
namespace {

using policy::EngineMasks;

constexpr std::uint64_t kOne = 1;

// The bit of its engine that a CU is.
unsigned bit_of(const Place& place, const Gpu& gpu) {
    unsigned bit = place.cu;
    for (unsigned array = 0; array < place.array; ++array) {
        bit += gpu.cus_of_array(place.xcc, place.engine, array);
    }
    return bit;
}

// CUs of an engine; of the XCC that has most of them where they differ.
unsigned cus_of_engine(unsigned engine, const Gpu& gpu) {
    unsigned most = 0;
    for (unsigned xcc = 0; xcc < gpu.xccs; ++xcc) {
        unsigned sum = 0;
        for (unsigned array = 0; array < gpu.arrays_per_engine; ++array) {
            sum += gpu.cus_of_array(xcc, engine, array);
        }
        most = std::max(most, sum);
    }
    return most;
}

std::uint64_t all_of(unsigned cus) { return cus >= 64 ? ~std::uint64_t{0} : (kOne << cus) - 1; }

std::uint64_t whole_pairs(std::uint64_t bits) {
    constexpr std::uint64_t kFirstOfPairs = 0x5555555555555555;
    const std::uint64_t begun = (bits | bits >> 1U) & kFirstOfPairs;
    return begun | begun << 1U;
}

Part part_of_valid(const EngineMasks& masks, const Gpu& gpu) {
    Part part{blank(gpu), 0};
    const auto all = places(gpu);
    for (unsigned bit = 0; bit < all.size(); ++bit) {
        if (!all[bit]) continue;
        const auto found = masks.find(all[bit]->engine);
        if (found == masks.end()) continue;
        if ((found->second >> bit_of(*all[bit], gpu) & 1U) == 0) continue;
        set(part.mask, bit);
        if (gpu.pairs) set(part.mask, bit ^ 1U);
    }
    part.cus = count_cus(part.mask, gpu);
    return part;
}

// What the GPU can have of it: engines that are there, CUs that are there, whole pairs.
EngineMasks nearest(const EngineMasks& masks, const Gpu& gpu) {
    EngineMasks result;
    for (const auto& [engine, bits] : masks) {
        if (engine >= gpu.engines_per_xcc()) continue;
        const std::uint64_t there = all_of(cus_of_engine(engine, gpu));
        const std::uint64_t possible = (gpu.pairs ? whole_pairs(bits) : bits) & there;
        if (possible != 0) result.emplace(engine, possible);
    }
    if (result.empty()) result.emplace(0, gpu.pairs ? 3 : 1);
    return result;
}

std::string hexadecimal(std::uint64_t bits) {
    std::array<char, 32> text{};
    snprintf(text.data(), text.size(), "0x%02llx", static_cast<unsigned long long>(bits));
    return text.data();
}

std::string what_is_wrong(unsigned engine, std::uint64_t bits, const Gpu& gpu) {
    const std::string each = gpu.xccs > 1 ? " in each XCC" : "";
    if (engine >= gpu.engines_per_xcc()) {
        return "has no shader engine " + std::to_string(engine) + ", but 0 to " +
               std::to_string(gpu.engines_per_xcc() - 1) + each;
    }
    const unsigned cus = cus_of_engine(engine, gpu);
    if ((bits & ~all_of(cus)) != 0) {
        return "has " + std::to_string(cus) + " CUs in shader engine " + std::to_string(engine) +
               each + ", too few for " + hexadecimal(bits);
    }
    if (gpu.pairs && whole_pairs(bits) != bits) {
        return "has its CUs in pairs (bits 0 and 1, 2 and 3, ...), and " + hexadecimal(bits) +
               " of shader engine " + std::to_string(engine) + " has half a pair";
    }
    return "";
}

Refusal refuse(const std::string& what, const EngineMasks& masks, const Gpu& gpu) {
    const EngineMasks possible = nearest(masks, gpu);
    const Part part = part_of_valid(possible, gpu);
    return {"cu_mask: " + describe(gpu) + " " + what + ": the nearest is cu_mask = " +
            text_of(possible) + ", a share of " + share_text(part.cus, gpu)};
}

}  // namespace

Or<Part> part_of(const EngineMasks& masks, const Gpu& gpu) {
    for (const auto& [engine, bits] : masks) {
        const std::string wrong = what_is_wrong(engine, bits, gpu);
        if (!wrong.empty()) return refuse(wrong, masks, gpu);
    }
    Part part = part_of_valid(masks, gpu);
    if (!every_xcc_has_cus(part.mask, gpu)) {
        return refuse("would have an XCC without a CU, and queues would hang", {}, gpu);
    }
    return part;
}

std::vector<std::vector<std::uint64_t>> by_engine(const Mask& mask, const Gpu& gpu) {
    std::vector<std::vector<std::uint64_t>> result(
        gpu.xccs, std::vector<std::uint64_t>(gpu.engines_per_xcc()));
    const auto all = places(gpu);
    for (unsigned bit = 0; bit < all.size(); ++bit) {
        if (!all[bit] || !test(mask, bit)) continue;
        result[all[bit]->xcc][all[bit]->engine] |= kOne << bit_of(*all[bit], gpu);
    }
    return result;
}

std::string text_of(const EngineMasks& masks) {
    std::string text;
    for (const auto& [engine, bits] : masks) {
        text += (text.empty() ? "{ " : ", ") + std::to_string(engine) + " = \"" +
                hexadecimal(bits) + "\"";
    }
    return text.empty() ? "{}" : text + " }";
}

}  // namespace ration::amd
