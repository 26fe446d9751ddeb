#include "shim/cuda/memory_limit.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace ration::cuda {
namespace {

constexpr std::uint64_t kMebibyte = 1ULL << 20;

std::string without_blanks(std::string_view text) {
    std::string result;
    std::copy_if(text.begin(), text.end(), std::back_inserter(result),
                 [](char c) { return c != ' ' && c != '\t'; });
    return result;
}

std::optional<std::size_t> ordinal_of(std::string_view key) {
    std::size_t ordinal = 0;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), ordinal);
    const bool whole = parsed.ec == std::errc{} && parsed.ptr == key.data() + key.size();
    return whole ? std::optional(ordinal) : std::nullopt;
}

// The UUID that a key means; empty if none.
std::string device_of(std::string_view key, const std::vector<std::string>& uuids) {
    if (const auto ordinal = ordinal_of(key)) {
        return *ordinal < uuids.size() ? uuids[*ordinal] : "";
    }
    for (const std::string& uuid : uuids) {
        if (key.size() > 4 && uuid.starts_with(key)) return uuid;
    }
    return "";
}

// MiB in one of a unit; nothing for units that the driver does not take.
std::optional<double> unit_of(char letter) {
    if (letter == 'M' || letter == 'm') return 1;
    if (letter == 'G' || letter == 'g') return 1024;
    return std::nullopt;
}

// In MiB; nullopt for what the driver does not take.
std::optional<std::uint64_t> amount_of(std::string_view text) {
    constexpr double kMost = 1e12;  // more than any device has, and exact as a double
    double number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc{} || parsed.ptr == text.data() + text.size()) return std::nullopt;
    const auto unit = unit_of(*parsed.ptr);
    if (!unit || !(number >= 0) || number * *unit > kMost) return std::nullopt;
    return static_cast<std::uint64_t>(number * *unit);
}

struct Entry {
    std::string key, amount;
};

std::vector<Entry> entries_of(const std::optional<std::string>& value) {
    std::vector<Entry> entries;
    std::string_view rest = value ? std::string_view(*value) : std::string_view{};
    while (!rest.empty()) {
        const std::size_t comma = rest.find(',');
        const std::string entry = without_blanks(rest.substr(0, comma));
        rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
        const std::size_t equals = entry.find('=');
        if (equals == std::string::npos) continue;
        entries.push_back({entry.substr(0, equals), entry.substr(equals + 1)});
    }
    return entries;
}

}  // namespace

MemoryLimits read_limits(const std::optional<std::string>& value,
                         const std::vector<std::string>& uuids) {
    MemoryLimits limits;
    for (const Entry& entry : entries_of(value)) {
        const std::string uuid = device_of(entry.key, uuids);
        const auto amount = amount_of(entry.amount);
        if (uuid.empty() || !amount) continue;
        const auto [place, added] = limits.emplace(uuid, *amount);
        if (!added) place->second = std::min(place->second, *amount);
    }
    return limits;
}

bool has_ordinals(const std::optional<std::string>& value) {
    const std::vector<Entry> entries = entries_of(value);
    return std::any_of(entries.begin(), entries.end(),
                       [](const Entry& entry) { return ordinal_of(entry.key).has_value(); });
}

MemoryLimits narrower(const MemoryLimits& one, const MemoryLimits& other) {
    MemoryLimits result = one;
    for (const auto& [uuid, amount] : other) {
        const auto [place, added] = result.emplace(uuid, amount);
        if (!added) place->second = std::min(place->second, amount);
    }
    return result;
}

std::string limits_text(const MemoryLimits& limits) {
    std::string text;
    for (const auto& [uuid, amount] : limits) {
        text += (text.empty() ? "" : ",") + uuid + "=" + std::to_string(amount) + "M";
    }
    return text;
}

std::optional<std::uint64_t> mebibytes(const policy::Memory& memory, std::uint64_t total) {
    if (const auto* bytes = std::get_if<std::uint64_t>(&memory.amount)) return *bytes / kMebibyte;
    if (total == 0) return std::nullopt;
    const double share = std::get<double>(memory.amount) / 100;
    return static_cast<std::uint64_t>(share * static_cast<double>(total) / kMebibyte);
}

std::uint64_t quota_bytes(const policy::Memory& memory, std::uint64_t total) {
    return std::min(mebibytes(memory, total).value_or(0) * kMebibyte, total);
}

std::string below_a_mebibyte(const std::string& uuid) {
    return "memory: this part of " + uuid + " is below 1 MiB: ask for 1 MiB or more";
}

}  // namespace ration::cuda
