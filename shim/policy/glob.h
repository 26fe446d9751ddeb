// Globs over text of any length.
#pragma once

#include <string>
#include <string_view>

namespace ration::policy {

// Whether `glob` matches all of `text`, in the sense of fnmatch(3) with no flags: `*`, `?`,
// `[a-z]`, `[!a-z]`, `[[:digit:]]`, and a backslash before what is meant literally. A `[` that is
// never closed stands for itself.
//
// Not fnmatch itself: that one matches by the host program's locale (so one policy would mean
// different things in two programs), and turns the whole text into wide characters for each glob
// (measured, glibc 2.36, 300 kB: 2.1 ms in C.UTF-8 against 0.3 ms in C). Here a character is a
// UTF-8 sequence, or one byte where the text is not UTF-8, and ranges go by code point. No
// recursion, no allocation; time is at most the product of the two lengths.
bool glob_matches(std::string_view glob, std::string_view text);

// What makes a glob useless, to be put after the key's name; empty if nothing does.
std::string glob_mistake(std::string_view glob);

}  // namespace ration::policy
