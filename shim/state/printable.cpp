#include "shim/host/utf8.h"
#include "shim/state/layout.h"

namespace ration::state {
namespace {

bool control(std::uint32_t code) { return code < 0x20 || (code >= 0x7f && code < 0xa0); }

}  // namespace

std::string printable(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const host::Character character = host::first_character(text);
        if (!character.valid || control(character.code)) {
            result += '?';
        } else {
            result += text.substr(0, character.length);
        }
        text.remove_prefix(character.length);
    }
    return result;
}

}  // namespace ration::state
