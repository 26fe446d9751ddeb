#include "shim/policy/guard.h"

#include <algorithm>

#include "shim/host/utf8.h"

namespace ration::policy {
namespace {

using host::Character;
using host::first_character;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::optional<std::size_t> not_utf8(std::string_view text) {
    if (host::is_ascii(text)) return std::nullopt;
    for (std::size_t at = 0; at < text.size();) {
        const Character character = first_character(text.substr(at));
        if (!character.valid) return at;
        at += character.length;
    }
    return std::nullopt;
}

constexpr std::size_t kMarkDistance = 16;

std::size_t skip_mark(std::string_view text) {
    return text.substr(0, kByteOrderMark.size()) == kByteOrderMark ? kByteOrderMark.size() : 0;
}

bool within_key(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '-' || byte == ' ' ||
           byte == '\t';
}

// The offset behind the string that begins at `at`. An unterminated one ends with its line (or, if
// it may have several, with the text): the parser will say so.
std::size_t skip_string(std::string_view text, std::size_t at) {
    const char mark = text[at];
    const std::string_view three = text.substr(at, 3);
    const bool long_string = three.size() == 3 && three[1] == mark && three[2] == mark;
    at += long_string ? 3 : 1;
    for (; at < text.size(); ++at) {
        if (text[at] == '\\' && mark == '"') {
            ++at;
        } else if (!long_string && text[at] == '\n') {
            return at;
        } else if (text[at] == mark && !long_string) {
            return at + 1;
        } else if (text[at] == mark && text.substr(at, 3) == three) {
            // One or two marks may stand right before the closing three.
            std::size_t marks = 3;
            while (marks < 5 && at + marks < text.size() && text[at + marks] == mark) ++marks;
            return at + marks;
        }
    }
    return text.size();
}

// Goes through what is neither string nor comment.
std::optional<std::size_t> too_deep(std::string_view text) {
    unsigned dots = 0;
    for (std::size_t at = skip_mark(text); at < text.size();) {
        const char byte = text[at];
        if (byte == '"' || byte == '\'') {
            at = skip_string(text, at);
            continue;
        }
        if (byte == '#') {
            at = std::min(text.find('\n', at), text.size());
            continue;
        }
        if (byte == '.') {
            if (++dots >= kDeepestNesting) return at;
        } else if (!within_key(byte)) {
            dots = 0;
        }
        ++at;
    }
    return std::nullopt;
}

}  // namespace

std::optional<Flaw> find_flaw(std::string_view text) {
    if (text.size() > kLargestText) {
        return Flaw{{},
                    "the file has " + std::to_string(text.size()) +
                        " bytes; allowed: at most 1 MiB, which is far more than a policy needs"};
    }
    if (const auto at = not_utf8(text)) {
        return Flaw{Lines(text).of_offset(*at), "not valid TOML: a byte that is not UTF-8"};
    }
    if (const auto at = too_deep(text)) {
        return Flaw{Lines(text).of_offset(*at),
                    "keys nested too deep; allowed: at most 8 levels (a policy needs 3)"};
    }
    return std::nullopt;
}

Lines::Lines(std::string_view text) : text_(text) {
    std::size_t at = skip_mark(text);
    starts_.push_back({at, 0});
    for (std::size_t count = 0; at < text.size();) {
        if (count % kMarkDistance == 0) marks_.push_back(at);
        const bool ends_line = text[at] == '\n';
        at += first_character(text.substr(at)).length;
        ++count;
        if (ends_line) starts_.push_back({at, count});
        ascii_ = count == at;
    }
}

Position Lines::in_bytes(Position in_characters) const {
    const auto [line, column] = in_characters;
    if (ascii_ || line == 0 || line > starts_.size() || column == 0) return in_characters;
    const Start& start = starts_[line - 1];
    const std::size_t character = start.characters + column - 1;
    if (character / kMarkDistance >= marks_.size()) {
        return {line, static_cast<unsigned>(text_.size() - start.offset + 1)};
    }
    std::size_t at = marks_[character / kMarkDistance];
    for (std::size_t i = character % kMarkDistance; i > 0 && at < text_.size(); --i) {
        at += first_character(text_.substr(at)).length;
    }
    return {line, static_cast<unsigned>(at - start.offset + 1)};
}

Position Lines::of_offset(std::size_t offset) const {
    auto line = std::upper_bound(
        starts_.begin(), starts_.end(), offset,
        [](std::size_t wanted, const Start& start) { return wanted < start.offset; });
    if (line == starts_.begin()) return {1, 1};
    --line;
    return {static_cast<unsigned>(line - starts_.begin() + 1),
            static_cast<unsigned>(offset - line->offset + 1)};
}

}  // namespace ration::policy
