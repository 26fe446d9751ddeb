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

constexpr std::string_view kGpu = "GPU-";
constexpr std::string_view kMig = "MIG-";
constexpr std::string_view kOldMig = "MIG-GPU-";

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

bool is_hex(char byte) {
    return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

unsigned hex_value(char digit) {
    if (is_digit(digit)) return static_cast<unsigned>(digit - '0');
    return static_cast<unsigned>((digit | 0x20) - 'a' + 10);
}

// UUIDs as the driver and NVML write them, and compare them: with small letters.
std::string uuid_of(std::string_view text, std::string_view prefix) {
    std::string uuid(text);
    std::transform(uuid.begin() + static_cast<std::ptrdiff_t>(prefix.size()), uuid.end(),
                   uuid.begin() + static_cast<std::ptrdiff_t>(prefix.size()), [](char byte) {
                       return byte >= 'A' && byte <= 'F' ? static_cast<char>(byte + 32) : byte;
                   });
    return uuid;
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
    return second != std::string_view::npos && is_uuid(text.substr(0, first), kOldMig) &&
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
    if (is_uuid(text, kGpu)) {
        return {DeviceSelector{Kind::kUuid, 0, uuid_of(text, kGpu)}, {}};
    }
    if (is_pci(text)) return as(Kind::kPci, 0);
    if (starts(text, kMig)) {
        return wrong<DeviceSelector>(text, "is a MIG instance, which the key mig names",
                                     kDeviceAllowed);
    }
    return wrong<DeviceSelector>(text, "is not a device", kDeviceAllowed);
}

Reading<std::string> parse_mig(std::string_view text) {
    if (is_uuid(text, kMig)) return {uuid_of(text, kMig), {}};
    if (is_old_mig(text)) return {uuid_of(text, kOldMig), {}};
    return wrong<std::string>(text, "is not a MIG instance", kMigAllowed);
}

Reading<unsigned> parse_engine(std::string_view text) {
    const auto number = parse_unsigned(text);
    if (number && *number <= kMaxEngine) return {number, {}};
    return wrong<unsigned>(text, "is not a shader engine", kEngineAllowed);
}

Reading<std::uint64_t> parse_engine_bits(std::string_view text) {
    constexpr std::size_t kMostDigits = 16;
    const auto no = [&](std::string_view what) {
        return wrong<std::uint64_t>(text, what, kEngineBitsAllowed);
    };
    if (starts(text, "-")) return no("is negative");
    if (!starts(text, "0x") && !starts(text, "0X")) return no("is not hexadecimal");
    const std::string_view digits = text.substr(2);
    if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_hex)) {
        return no("is not hexadecimal");
    }
    const std::size_t first = std::min(digits.find_first_not_of('0'), digits.size());
    if (digits.size() - first > kMostDigits) return no("has more than 64 bits");
    std::uint64_t bits = 0;
    for (const char digit : digits) bits = bits << 4U | hex_value(digit);
    return {bits, {}};
}

Reading<EngineMasks> parse_cu_mask(std::string_view text) {
    constexpr const char* kAllowed = R"(CUs by shader engine, such as "0=0x0f,1=0x7f")";
    const auto no = [&](std::string_view what) { return wrong<EngineMasks>(text, what, kAllowed); };
    EngineMasks masks;
    bool some = false;
    for (std::string_view rest = text;;) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        const std::string_view entry = rest.substr(0, comma);
        const std::size_t equals = entry.find('=');
        if (equals == std::string_view::npos) return no("is not a mask");
        const auto engine = parse_engine(entry.substr(0, equals));
        if (!engine.value) return {std::nullopt, engine.error};
        const auto bits = parse_engine_bits(entry.substr(equals + 1));
        if (!bits.value) return {std::nullopt, bits.error};
        if (!masks.emplace(*engine.value, *bits.value).second) {
            return no("names a shader engine twice");
        }
        some = some || *bits.value != 0;
        if (comma == rest.size()) break;
        rest.remove_prefix(comma + 1);
    }
    if (!some) return no("has no CU");
    return {std::move(masks), {}};
}

}  // namespace ration::policy
