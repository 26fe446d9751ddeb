#include "shim/policy/glob.h"

#include <optional>

#include "shim/host/utf8.h"

namespace ration::policy {
namespace {

using host::Character;
using host::first_character;

constexpr std::size_t kLongestGlob = 4096;

// A byte that is not UTF-8 must not equal the character of the same number.
std::uint32_t key(const Character& character) {
    return character.valid ? character.code : 0x80000000U | character.code;
}

bool between(std::uint32_t code, char low, char high) {
    return code >= static_cast<unsigned char>(low) && code <= static_cast<unsigned char>(high);
}

// The classes of POSIX, for ASCII.
bool in_class(std::string_view name, std::uint32_t c) {
    const bool lower = between(c, 'a', 'z');
    const bool upper = between(c, 'A', 'Z');
    const bool digit = between(c, '0', '9');
    const bool graph = between(c, '!', '~');
    if (name == "alpha") return lower || upper;
    if (name == "digit") return digit;
    if (name == "alnum") return lower || upper || digit;
    if (name == "lower") return lower;
    if (name == "upper") return upper;
    if (name == "xdigit") return digit || between(c, 'a', 'f') || between(c, 'A', 'F');
    if (name == "space") return c == ' ' || between(c, '\t', '\r');
    if (name == "blank") return c == ' ' || c == '\t';
    if (name == "punct") return graph && !lower && !upper && !digit;
    if (name == "graph") return graph;
    if (name == "print") return graph || c == ' ';
    if (name == "cntrl") return c < 0x20 || c == 0x7F;
    return false;
}

struct Bracket {
    bool matches = false;
    std::size_t end = 0;  // index after the closing bracket
};

// Takes one end of a range, or a single member, at `at`.
std::optional<std::uint32_t> member(std::string_view glob, std::size_t& at) {
    if (at < glob.size() && glob[at] == '\\') ++at;
    if (at >= glob.size()) return std::nullopt;
    const Character character = first_character(glob.substr(at));
    at += character.length;
    return key(character);
}

// The bracket expression that begins at `open`; nullopt if it is never closed.
std::optional<Bracket> bracket(std::string_view glob, std::size_t open, std::uint32_t code) {
    std::size_t at = open + 1;
    const bool negated = at < glob.size() && (glob[at] == '!' || glob[at] == '^');
    if (negated) ++at;
    bool found = false;
    for (bool first = true; at < glob.size(); first = false) {
        if (glob[at] == ']' && !first) return Bracket{found != negated, at + 1};
        if (glob.substr(at, 2) == "[:") {
            const std::size_t close = glob.find(":]", at + 2);
            if (close != std::string_view::npos) {
                found = found || in_class(glob.substr(at + 2, close - at - 2), code);
                at = close + 2;
                continue;
            }
        }
        const auto low = member(glob, at);
        if (!low) return std::nullopt;
        auto high = low;
        if (at + 1 < glob.size() && glob[at] == '-' && glob[at + 1] != ']') {
            ++at;
            high = member(glob, at);
            if (!high) return std::nullopt;
        }
        found = found || (code >= *low && code <= *high);
    }
    return std::nullopt;
}

// Matches the single character at the front of `text` with what stands at `at` in the glob, and
// moves `at` behind it.
bool step(std::string_view glob, std::size_t& at, const Character& character) {
    if (glob[at] == '?') {
        ++at;
        return true;
    }
    if (glob[at] == '[') {
        if (const auto found = bracket(glob, at, key(character))) {
            at = found->end;
            return found->matches;
        }
    } else if (glob[at] == '\\' && at + 1 < glob.size()) {
        ++at;
    }
    const Character literal = first_character(glob.substr(at));
    at += literal.length;
    return key(literal) == key(character);
}

}  // namespace

bool glob_matches(std::string_view glob, std::string_view text) {
    std::size_t g = 0;
    std::size_t t = 0;
    // Where to go on when a literal stretch fails: behind the last star, one character further.
    // Earlier stars need no second try, since what they have matched is the shortest that can be.
    std::size_t star = std::string_view::npos;
    std::size_t retry = 0;
    while (t < text.size()) {
        const Character character = first_character(text.substr(t));
        if (g < glob.size() && glob[g] == '*') {
            star = ++g;
            retry = t;
            continue;
        }
        if (g < glob.size() && step(glob, g, character)) {
            t += character.length;
            continue;
        }
        if (star == std::string_view::npos) return false;
        retry += first_character(text.substr(retry)).length;
        g = star;
        t = retry;
    }
    while (g < glob.size() && glob[g] == '*') ++g;
    return g == glob.size();
}

std::string glob_mistake(std::string_view glob) {
    if (glob.empty()) return "is an empty glob, which matches nothing; allowed: such as \"*\"";
    if (glob.size() > kLongestGlob) return "is a glob of more than 4096 bytes";
    std::size_t backslashes = 0;
    while (backslashes < glob.size() && glob[glob.size() - 1 - backslashes] == '\\') ++backslashes;
    if (backslashes % 2 == 1) {
        return "ends in a backslash that escapes nothing; allowed: \\\\ for a backslash";
    }
    return {};
}

}  // namespace ration::policy
