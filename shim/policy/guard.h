// What is checked of a text before the TOML parser sees it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shim/policy/document.h"

namespace ration::policy {

// A policy of a thousand rules has a tenth of this.
inline constexpr std::size_t kLargestText = std::size_t{1} << 20U;

// Tables within tables, arrays within arrays. pool.NAME.device needs 4.
inline constexpr unsigned kDeepestNesting = 8;

struct Flaw {
    Position where;
    std::string text;
};

// Size, UTF-8, and dotted keys: `a.a.a...` makes one table per dot, and both the parser's tree and
// ours are destroyed recursively, on the stack of whichever thread makes the first GPU call
// (measured, toml++ 3.3: 500,000 dots overflow 8 MiB). Brackets are counted by the parser itself.
std::optional<Flaw> find_flaw(std::string_view text);

// Turns a column in characters, which is how toml++ counts, into one in bytes. Every value of a
// text asks, and all of them may stand in one line: constant time.
class Lines {
  public:
    explicit Lines(std::string_view text);
    Position in_bytes(Position in_characters) const;
    Position of_offset(std::size_t offset) const;

  private:
    struct Start {
        std::size_t offset = 0;
        std::size_t characters = 0;  // before it
    };
    std::string_view text_;
    std::vector<Start> starts_;       // of each line, the byte order mark not counted
    std::vector<std::size_t> marks_;  // offset of every 16th character
    bool ascii_ = true;               // a character is a byte
};

}  // namespace ration::policy
