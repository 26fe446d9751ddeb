#include "tools/ration/output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "tools/ration/failure.h"

namespace ration::tool {
namespace {

bool coloured() {
    static const bool yes = [] {
        const char* term = getenv("TERM");
        const char* no_color = getenv("NO_COLOR");
        return isatty(STDOUT_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb" &&
               (no_color == nullptr || *no_color == '\0');
    }();
    return yes;
}

// Characters of UTF-8 text: bytes that do not continue a character.
std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

}  // namespace

void print(const std::string& text) {
    if (fwrite(text.data(), 1, text.size(), stdout) != text.size() || fflush(stdout) != 0) {
        throw Failure(kFailed, with_errno("cannot write to standard output", errno));
    }
}

void print_json(const Json& value) {
    print(value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void complain(const std::string& line) {
    const std::string text = "ration: " + printable(line) + "\n";
    // One write, so that lines of several processes do not mix; nothing can be done if it fails.
    (void)!write(STDERR_FILENO, text.data(), text.size());
}

std::string paint(Colour colour, const std::string& text) {
    if (!coloured()) {
        return text;
    }
    const char* code = "0";
    switch (colour) {
        case Colour::kBold:
            code = "1";
            break;
        case Colour::kDim:
            code = "2";
            break;
        case Colour::kRed:
            code = "31";
            break;
        case Colour::kGreen:
            code = "32";
            break;
        case Colour::kYellow:
            code = "33";
            break;
    }
    return "\033[" + std::string(code) + "m" + text + "\033[0m";
}

std::string printable(const std::string& text) {
    std::string result = text;
    std::replace_if(
        result.begin(), result.end(),
        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
    return result;
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], width(row[i]));
        }
    }
    std::string result;
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            result += printable(row[i]);
            if (i + 1 < row.size()) {
                result.append(widths[i] - width(row[i]) + 2, ' ');
            }
        }
        result += '\n';
    }
    return result;
}

}  // namespace ration::tool
