#include "shim/cuda/share.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "shim/policy/decide.h"

namespace ration::cuda {
namespace {

unsigned granted(double percent, unsigned total) {
    return policy::granted_units(percent, total, policy::kMpsGranularity);
}

// What a request of `sms` comes to on a device of `total`.
unsigned reachable(unsigned sms, unsigned total) {
    const auto [unit, minimum] = policy::kMpsGranularity;
    return std::min(std::max(sms / unit * unit, minimum), total);
}

// As strtod(3) reads it in the C locale, 0 if there is none. Not strtod: the program may have set a
// locale with a decimal comma.
double leading_number(std::string_view text) {
    const std::size_t start = text.find_first_not_of(" \t\n\v\f\r");
    if (start == std::string_view::npos) return 0;
    text.remove_prefix(start);
    // from_chars takes a minus only, and there nothing is to be had from a negative number.
    if (text.starts_with('+')) text.remove_prefix(1);
    if (text.starts_with('-')) return 0;
    const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    if (hexadecimal) text.remove_prefix(2);
    double number = 0;
    const auto format = hexadecimal ? std::chars_format::hex : std::chars_format::general;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number, format);
    return parsed.ec == std::errc{} ? number : 0;
}

bool serves(double percent, unsigned sms, const std::vector<unsigned>& totals) {
    return std::all_of(totals.begin(), totals.end(), [&](unsigned total) {
        return granted(percent, total) == reachable(sms, total);
    });
}

}  // namespace

double driver_percentage(const std::optional<std::string>& value) {
    const double number = value ? leading_number(*value) : 0;
    return number > 0 && number <= 100 ? number : 100;
}

std::string percentage_text(double percent) {
    constexpr double kRounding = 1e-6;  // far below what a decimal of the result is worth
    const auto thousandths =
        std::max(1UL, static_cast<unsigned long>(std::ceil(percent * 1000 - kRounding)));
    std::string text = std::to_string(thousandths / 1000);
    const std::string decimals = std::to_string(1000 + thousandths % 1000).substr(1);
    const std::size_t last = decimals.find_last_not_of('0');
    return last == std::string::npos ? text : text + "." + decimals.substr(0, last + 1);
}

std::optional<double> percentage_for_sms(unsigned sms, const std::vector<unsigned>& totals) {
    if (totals.empty()) return std::nullopt;
    const unsigned smallest = *std::min_element(totals.begin(), totals.end());
    if (sms >= smallest)
        return serves(100, sms, totals) ? std::optional<double>(100) : std::nullopt;
    // From the exact share upwards, so that a part with another minimum grants what was asked too.
    // Whole numbers reach every even count of devices with up to 200 SMs, thousandths the rest.
    for (const unsigned steps : {1U, 1000U}) {
        const double exact = 100.0 * steps * sms / smallest;
        for (auto step = static_cast<unsigned>(std::ceil(exact)); step <= 100 * steps; ++step) {
            const double percent = static_cast<double>(step) / steps;
            if (serves(percent, sms, totals)) return percent;
            if (percent > exact / steps + 2) break;
        }
    }
    return std::nullopt;
}

}  // namespace ration::cuda
