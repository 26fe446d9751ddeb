#include "shim/amd/mask_variables.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "shim/policy/amount.h"

namespace ration::amd {
namespace {

constexpr unsigned kMostNumber = 1023;

std::vector<std::string_view> split(std::string_view text, char mark) {
    std::vector<std::string_view> parts;
    while (true) {
        const std::size_t end = std::min(text.find(mark), text.size());
        parts.push_back(text.substr(0, end));
        if (end == text.size()) return parts;
        text.remove_prefix(end + 1);
    }
}

// "0,2-4,7"; nullopt for anything else and for a number that comes twice.
std::optional<std::set<unsigned>> read_numbers(std::string_view text) {
    std::set<unsigned> numbers;
    for (const std::string_view part : split(text, ',')) {
        const std::size_t dash = part.find('-');
        const auto first = policy::parse_unsigned(part.substr(0, dash));
        const auto last =
            dash == std::string_view::npos ? first : policy::parse_unsigned(part.substr(dash + 1));
        if (!first || !last || *first > *last || *last > kMostNumber) return std::nullopt;
        for (unsigned number = *first; number <= *last; ++number) {
            if (!numbers.insert(number).second) return std::nullopt;
        }
    }
    return numbers;
}

void set_and_grow(Mask& mask, unsigned bit) {
    if (mask.size() <= bit / 32) mask.resize(bit / 32 + 1);
    set(mask, bit);
}

std::optional<Mask> read_digits(std::string_view digits) {
    Mask mask;
    unsigned bit = 0;
    for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, bit += 4) {
        const auto value = policy::parse_engine_bits("0x" + std::string(1, *digit)).value;
        if (!value) return std::nullopt;
        for (unsigned i = 0; i < 4; ++i) {
            if ((*value >> i & 1U) != 0) set_and_grow(mask, bit + i);
        }
    }
    return mask;
}

bool is_hexadecimal(std::string_view text) {
    return text.starts_with("0x") || text.starts_with("0X");
}

std::optional<Mask> read_cus(std::string_view text) {
    std::optional<Mask> mask;
    if (is_hexadecimal(text)) {
        mask = read_digits(text.substr(2));
    } else if (const auto numbers = read_numbers(text)) {
        mask.emplace();
        for (const unsigned cu : *numbers) set_and_grow(*mask, cu);
    }
    return mask && !mask->empty() ? mask : std::nullopt;  // no CU at all is a mistake
}

}  // namespace

HsaMasks read_hsa_masks(const std::string& value) {
    HsaMasks result;
    std::string text;
    std::copy_if(value.begin(), value.end(), std::back_inserter(text),
                 [](char c) { return c != ' ' && (c < '\t' || c > '\r'); });
    if (text.empty()) return result;
    for (const std::string_view one : split(text, ';')) {
        const auto parts = split(one, ':');
        const auto gpus = parts.size() == 2 ? read_numbers(parts[0]) : std::nullopt;
        const auto mask = parts.size() == 2 ? read_cus(parts[1]) : std::nullopt;
        const bool again = gpus && std::any_of(gpus->begin(), gpus->end(), [&](unsigned gpu) {
                               return result.masks.count(gpu) != 0;
                           });
        if (!gpus || !mask || again) {
            result.mistake = true;
            return result;
        }
        for (const unsigned gpu : *gpus) result.masks.emplace(gpu, *mask);
    }
    return result;
}

std::optional<Mask> hsa_mask_of(const HsaMasks& masks, unsigned number, const Gpu& gpu) {
    const auto found = masks.masks.find(number);
    if (found == masks.masks.end() || !pairs_are_whole(found->second, gpu)) return std::nullopt;
    return found->second;
}

std::optional<Mask> read_hip_mask(const std::string& value, const Gpu& gpu) {
    if (gpu.pairs) return std::nullopt;
    const std::string_view text = value;
    const auto mask = read_digits(is_hexadecimal(text) ? text.substr(2) : text);
    return mask && !mask->empty() ? mask : std::nullopt;
}

}  // namespace ration::amd
