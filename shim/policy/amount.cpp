#include "shim/policy/amount.h"

#include <algorithm>
#include <limits>

#include "shim/policy/wording.h"

namespace ration::policy {
namespace {

// What a double holds exactly.
constexpr unsigned kMaxDigits = 15;
constexpr std::size_t kLongestName = 64;
constexpr double kMinimumBytes = 1024.0 * 1024.0;
// Far above any GPU, far below where a 64-bit count would overflow.
constexpr double kMaximumBytes = 1024.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0;

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

bool is_hex(char byte) {
    return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

bool starts(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

// A decimal number as written: strtod would read the comma of a program's locale.
struct Decimal {
    double digits = 0;  // without the point
    double scale = 1;   // 10 for each digit after the point
    double value() const { return digits / scale; }
};

// Takes "12" or "12.5" from the front of `text`.
std::optional<Decimal> take_decimal(std::string_view& text) {
    Decimal out;
    unsigned count = 0;
    std::size_t at = 0;
    const auto take = [&](double factor) {
        const std::size_t begin = at;
        for (; at < text.size() && is_digit(text[at]); ++at, ++count) {
            out.digits = out.digits * 10 + (text[at] - '0');
            out.scale *= factor;
        }
        return at > begin;
    };
    if (!take(1)) return std::nullopt;
    if (at < text.size() && text[at] == '.') {
        ++at;
        if (!take(10)) return std::nullopt;
    }
    if (count > kMaxDigits) return std::nullopt;
    text.remove_prefix(at);
    return out;
}

// "10 GiB" and "25 %" are how people and our own messages write it.
void skip_space(std::string_view& text) {
    if (starts(text, " ")) text.remove_prefix(1);
}

template <typename T>
Reading<T> wrong(std::string_view text, std::string_view what, std::string_view allowed) {
    std::string error = quote(text);
    error += ' ';
    error += what;
    error += "; allowed: ";
    error += allowed;
    return {std::nullopt, std::move(error)};
}

Reading<double> percent(std::string_view text, double value, std::string_view allowed) {
    if (value <= 0) return wrong<double>(text, "is nothing", allowed);
    if (value > 100) return wrong<double>(text, "is above 100%", allowed);
    return {value, {}};
}

Reading<double> fraction(std::string_view text, std::string_view rest, const Decimal& above) {
    const auto below = take_decimal(rest);
    if (!below || !rest.empty() || above.scale != 1 || below->scale != 1) {
        return wrong<double>(text, "is not a share", kShareAllowed);
    }
    if (below->digits == 0) return wrong<double>(text, "divides by zero", kShareAllowed);
    return percent(text, 100 * above.digits / below->digits, kShareAllowed);
}

struct Unit {
    std::string_view name;
    double bytes;
};
constexpr double kKi = 1024;
constexpr Unit kUnits[] = {
    {"KiB", kKi},
    {"MiB", kKi* kKi},
    {"GiB", kKi* kKi* kKi},
    {"TiB", kKi* kKi* kKi* kKi},
    {"K", kKi},
    {"M", kKi* kKi},
    {"G", kKi* kKi* kKi},
    {"T", kKi* kKi* kKi* kKi},
    {"KB", 1e3},
    {"MB", 1e6},
    {"GB", 1e9},
    {"TB", 1e12},
};

Reading<Memory> bytes(std::string_view text, double amount) {
    if (amount < kMinimumBytes) return wrong<Memory>(text, "is below 1 MiB", kMemoryAllowed);
    if (amount > kMaximumBytes) {
        return wrong<Memory>(text, "is more than any GPU has", kMemoryAllowed);
    }
    return {Memory{static_cast<std::uint64_t>(amount)}, {}};
}

// "0000:17:00.0", the domain being optional (sysfs has 4 digits, nvidia-smi 8): h stands for a
// digit.
bool is_pci(std::string_view text) {
    for (const std::string_view shape : {"hh:hh.h", "hhhh:hh:hh.h", "hhhhhhhh:hh:hh.h"}) {
        if (shape.size() != text.size()) continue;
        bool same = true;
        for (std::size_t i = 0; i < shape.size(); ++i) {
            same = same && (shape[i] == 'h' ? is_hex(text[i]) : shape[i] == text[i]);
        }
        if (same) return true;
    }
    return false;
}

bool is_uuid(std::string_view text, std::string_view prefix) {
    if (!starts(text, prefix) || text.size() == prefix.size()) return false;
    for (const char byte : text.substr(prefix.size())) {
        if (!is_hex(byte) && byte != '-') return false;
    }
    return true;
}

// The form before R470: MIG-GPU-<UUID>/<GPU instance>/<compute instance>.
bool is_old_mig(std::string_view text) {
    const std::size_t first = text.find('/');
    if (first == std::string_view::npos) return false;
    const std::size_t second = text.find('/', first + 1);
    return second != std::string_view::npos && is_uuid(text.substr(0, first), "MIG-GPU-") &&
           parse_unsigned(text.substr(first + 1, second - first - 1)) &&
           parse_unsigned(text.substr(second + 1));
}

}  // namespace

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= kLongestName &&
           std::all_of(text.begin(), text.end(), [](char byte) {
               return is_digit(byte) || (byte >= 'a' && byte <= 'z') ||
                      (byte >= 'A' && byte <= 'Z') || byte == '_' || byte == '-';
           });
}

std::optional<unsigned> parse_unsigned(std::string_view text) {
    if (text.empty() || text.size() > 10) return std::nullopt;
    std::uint64_t number = 0;
    for (const char byte : text) {
        if (!is_digit(byte)) return std::nullopt;
        number = number * 10 + static_cast<std::uint64_t>(byte - '0');
    }
    if (number > std::numeric_limits<unsigned>::max()) return std::nullopt;
    return static_cast<unsigned>(number);
}

Reading<double> parse_share(std::string_view text) {
    std::string_view rest = text;
    const auto number = take_decimal(rest);
    if (!number) return wrong<double>(text, "is not a share", kShareAllowed);
    if (starts(rest, "/")) return fraction(text, rest.substr(1), *number);
    skip_space(rest);
    if (rest == "%") return percent(text, number->value(), kShareAllowed);
    return wrong<double>(text, rest.empty() ? "has no unit" : "is not a share", kShareAllowed);
}

Reading<Memory> parse_memory(std::string_view text) {
    std::string_view rest = text;
    const auto number = take_decimal(rest);
    if (!number) return wrong<Memory>(text, "is not a size", kMemoryAllowed);
    skip_space(rest);
    if (rest == "%") {
        auto share = percent(text, number->value(), kMemoryAllowed);
        if (!share.value) return {std::nullopt, std::move(share.error)};
        return {Memory{*share.value}, {}};
    }
    for (const Unit& unit : kUnits) {
        if (rest == unit.name) return bytes(text, number->digits * unit.bytes / number->scale);
    }
    return wrong<Memory>(text, rest.empty() ? "has no unit" : "has an unknown unit",
                         kMemoryAllowed);
}

DeviceSelector device_at(unsigned index) {
    return {DeviceSelector::Kind::kIndex, index, std::to_string(index)};
}

Reading<DeviceSelector> parse_device(std::string_view text, bool bare_index) {
    using Kind = DeviceSelector::Kind;
    const auto as = [&](Kind kind, unsigned index) {
        return Reading<DeviceSelector>{DeviceSelector{kind, index, std::string(text)}, {}};
    };
    constexpr std::string_view kVisible = "visible:";
    const bool visible = starts(text, kVisible);
    if (visible || bare_index) {
        const auto index = parse_unsigned(text.substr(visible ? kVisible.size() : 0));
        if (index && *index <= kMaxDeviceIndex) {
            return as(visible ? Kind::kVisible : Kind::kIndex, *index);
        }
    }
    if (is_uuid(text, "GPU-")) return as(Kind::kUuid, 0);
    if (is_pci(text)) return as(Kind::kPci, 0);
    if (starts(text, "MIG-")) {
        return wrong<DeviceSelector>(text, "is a MIG instance, which the key mig names",
                                     kDeviceAllowed);
    }
    return wrong<DeviceSelector>(text, "is not a device", kDeviceAllowed);
}

Reading<std::string> parse_mig(std::string_view text) {
    if (is_uuid(text, "MIG-") || is_old_mig(text)) return {std::string(text), {}};
    return wrong<std::string>(text, "is not a MIG instance", kMigAllowed);
}

}  // namespace ration::policy
