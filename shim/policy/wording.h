// How messages show what a user wrote.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ration::policy {

// "text" in quotation marks: control characters as \x1b, and only the beginning of a long text, so
// that a message stays one readable line whatever a policy holds.
std::string quote(std::string_view text);

// The same without the quotation marks, with at most `limit` bytes of the text.
std::string one_line(std::string_view text, std::size_t limit);

// "a, b, c"
std::string join(const std::vector<std::string>& words);

// "33.33" for 33.3333..., "50" for 50.0, whatever the program's locale is.
std::string decimal(double number);

// The candidate that `word` is most likely a misspelling of; empty if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

// ` (did you mean "share"?)`, or nothing.
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);

// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`, upper and lower case
// being the same.
unsigned edits(std::string_view a, std::string_view b);

}  // namespace ration::policy
