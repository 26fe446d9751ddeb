// What reaches the user's terminal or the next program in the pipe.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace ration::tool {

using Json = nlohmann::ordered_json;

// One JSON document and a newline on stdout. Bytes that are not UTF-8 (a file name may hold any)
// become U+FFFD, so that the output always parses.
void print_json(const Json& value);

// stdout, without a newline of its own. Throws Failure if it cannot be written.
void print(const std::string& text);

// "ration: line" on stderr, without the control characters that a name in it may have.
void complain(const std::string& line);

// Colours, only on a terminal that wants them (NO_COLOR, TERM=dumb).
enum class Colour { kBold, kDim, kRed, kGreen, kYellow };
std::string paint(Colour colour, const std::string& text);

// Columns padded to the widest cell (in characters, not bytes), two spaces between them, the last
// one unpadded. Control characters are shown as '?', because cells may hold what a foreign process
// calls itself.
std::string table(const std::vector<std::vector<std::string>>& rows);

// Text without control characters.
std::string printable(const std::string& text);

}  // namespace ration::tool
