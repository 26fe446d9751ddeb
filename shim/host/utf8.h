// One UTF-8 sequence at a time.
#pragma once

#include <cstdint>
#include <string_view>

namespace ration::host {

struct Character {
    std::uint32_t code = 0;
    std::uint32_t length = 1;  // bytes
    bool valid = true;         // false: `code` is a byte that begins no UTF-8 sequence
};

// The first character of `text`, which is not empty. Overlong forms, surrogates and what lies above
// U+10FFFF are not UTF-8 (RFC 3629).
inline Character first_character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const std::uint32_t lead = byte(0);
    if (lead < 0x80) return {lead, 1, true};
    const std::uint32_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    const Character broken{lead, 1, false};
    if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return broken;
    std::uint32_t code = lead & (0xFFU >> (length + 1));
    for (std::uint32_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) return broken;
        code = (code << 6U) | (byte(i) & 0x3FU);
    }
    const std::uint32_t least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
    if (code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return broken;
    return {code, length, true};
}

// Looks at all of it, which is faster than to stop at the first that is not.
inline bool is_ascii(std::string_view text) {
    unsigned char bits = 0;
    for (const char byte : text) bits |= static_cast<unsigned char>(byte);
    return bits < 0x80;
}

}  // namespace ration::host
