#include "tests/sim/driver/share.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "tests/sim/node/node.h"
#include "tests/sim/node/text.h"

namespace sim {
namespace {

constexpr int kLeastSms = 8;

// Measured under MPS on a 132-SM part; between and beyond them on the line.
struct ContextSize {
    int sms;
    int mib;
};
constexpr ContextSize kContextSizes[] = {{10, 65}, {32, 145}, {66, 271}, {98, 389}, {132, 514}};

// "2G", "2GB", "2048M", "2048MB": bytes. A fraction is read up to its point and leaves no unit:
// next to nothing. Anything else (no unit, K, blanks) is no limit at all.
std::optional<std::uint64_t> parse_size(const std::string& text) {
    char* end = nullptr;
    const unsigned long long number = std::strtoull(text.c_str(), &end, 10);
    if (end == text.c_str() || text[0] == '-') return std::nullopt;
    const std::string unit = end;
    if (unit == "G" || unit == "GB") return number << 30;
    if (unit == "M" || unit == "MB") return number << 20;
    if (unit[0] == '.') return number;
    return std::nullopt;
}

}  // namespace

double parse_percentage(const char* text) {
    const double number = text != nullptr ? std::strtod(text, nullptr) : 0;
    return number > 0 && number <= 100 ? number : 100;
}

int granted_sms(int sm_total, double percentage) {
    if (percentage >= 100) return sm_total;
    const int even = static_cast<int>(sm_total * percentage / 100) / 2 * 2;
    return std::min(std::max(even, kLeastSms), sm_total);
}

std::optional<Affinity> affinity(unsigned asked, int sm_granted, int sm_total) {
    if (asked == 0 || asked > static_cast<unsigned>(sm_granted)) return std::nullopt;
    const int even = std::max((static_cast<int>(asked) + 1) / 2 * 2, kLeastSms);
    if (even < sm_granted || sm_granted == sm_total) return Affinity{even, even};
    // Measured at 32 of 132 SMs: who asks for the whole of a share is told of the whole device, and
    // runs on fewer SMs than the share has: 30 or 10, by the contexts that the process had before.
    return Affinity{sm_total, std::max(sm_granted - 2, kLeastSms)};
}

std::vector<MemoryLimit> parse_memory_limits(const std::string& text) {
    std::vector<MemoryLimit> limits;
    for (const std::string& item : split(text, ',')) {
        const auto equals = item.find('=');
        if (equals == std::string::npos) continue;
        const auto bytes = parse_size(item.substr(equals + 1));
        if (bytes) limits.push_back({trim(item.substr(0, equals)), *bytes});
    }
    return limits;
}

std::uint64_t context_bytes(int sm_count, bool mps) {
    const auto* upper = std::find_if(std::begin(kContextSizes), std::end(kContextSizes) - 1,
                                     [=](const auto& each) { return each.sms >= sm_count; });
    if (upper == std::begin(kContextSizes)) ++upper;
    const ContextSize& low = upper[-1];
    const ContextSize& high = *upper;
    const int mib = low.mib + (sm_count - low.sms) * (high.mib - low.mib) / (high.sms - low.sms);
    constexpr int kAloneMib = 13;  // measured: 527 MiB at 132 SMs without MPS
    return static_cast<std::uint64_t>(mib + (mps ? 0 : kAloneMib)) * kMiB;
}

std::uint64_t server_bytes() { return 77 * kMiB; }

}  // namespace sim
