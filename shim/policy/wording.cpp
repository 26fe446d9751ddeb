#include "shim/policy/wording.h"

#include <algorithm>
#include <cmath>

namespace ration::policy {
namespace {

constexpr std::size_t kQuoteLimit = 60;
// Nothing that is spelled like this by mistake is longer, and the distance takes quadratic time.
constexpr std::size_t kLongestWord = 64;

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

char lower(char byte) { return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte; }

}  // namespace

std::string one_line(std::string_view text, std::size_t limit) {
    std::size_t end = std::min(text.size(), limit);
    while (end > 0 && end < text.size() && continues(text[end])) --end;
    std::string out;
    for (const char byte : text.substr(0, end)) {
        const auto code = static_cast<unsigned char>(byte);
        if (code >= 0x20 && code != 0x7F) {
            out += byte;
        } else {
            constexpr char kDigits[] = "0123456789abcdef";
            out += {'\\', 'x', kDigits[code >> 4U], kDigits[code & 15U]};
        }
    }
    if (end < text.size()) out += "...";
    return out;
}

std::string quote(std::string_view text) { return '"' + one_line(text, kQuoteLimit) + '"'; }

std::string join(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) {
        if (!out.empty()) out += ", ";
        out += word;
    }
    return out;
}

std::string decimal(double number) {
    const auto hundredths = static_cast<unsigned long long>(std::llround(number * 100));
    std::string out = std::to_string(hundredths / 100);
    const auto rest = static_cast<unsigned>(hundredths % 100);
    if (rest == 0) return out;
    out += '.';
    out += static_cast<char>('0' + rest / 10);
    if (rest % 10 != 0) out += static_cast<char>('0' + rest % 10);
    return out;
}

unsigned edits(std::string_view a, std::string_view b) {
    const std::size_t width = b.size() + 1;
    std::vector<unsigned> table((a.size() + 1) * width);
    const auto cell = [&](std::size_t i, std::size_t j) -> unsigned& {
        return table[i * width + j];
    };
    for (std::size_t i = 0; i <= a.size(); ++i) cell(i, 0) = static_cast<unsigned>(i);
    for (std::size_t j = 0; j <= b.size(); ++j) cell(0, j) = static_cast<unsigned>(j);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            unsigned best = cell(i - 1, j - 1) + (same ? 0U : 1U);
            best = std::min({best, cell(i - 1, j) + 1, cell(i, j - 1) + 1});
            const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                                 lower(a[i - 2]) == lower(b[j - 1]);
            if (swapped) best = std::min(best, cell(i - 2, j - 2) + 1);
            cell(i, j) = best;
        }
    }
    return cell(a.size(), b.size());
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
    if (word.empty() || word.size() > kLongestWord) return {};
    std::string best;
    unsigned best_edits = 0;
    for (const std::string& candidate : candidates) {
        if (candidate.size() > kLongestWord) continue;
        // A third of the word may be wrong; of a word of two letters none may.
        const unsigned limit = static_cast<unsigned>(std::max(word.size(), candidate.size()) / 3);
        const unsigned distance = edits(word, candidate);
        if (distance <= limit && (best.empty() || distance < best_edits)) {
            best = candidate;
            best_edits = distance;
        }
    }
    return best;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
    const std::string near = nearest(word, candidates);
    return near.empty() ? std::string() : " (did you mean \"" + near + "\"?)";
}

}  // namespace ration::policy
