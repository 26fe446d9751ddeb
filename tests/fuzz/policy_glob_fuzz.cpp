// The first line is a glob, the rest a text.
#include <string>

#include "shim/policy/glob.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace ration::policy;

std::string escaped(std::string_view text) {
    std::string glob;
    for (const char byte : text) {
        if (byte == '*' || byte == '?' || byte == '[' || byte == '\\') glob += '\\';
        glob += byte;
    }
    return glob;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view glob = input.substr(0, end);
    const std::string_view text = input.substr(std::min(end + 1, input.size()));

    const bool matched = glob_matches(glob, text);
    require(!matched || glob_matches(std::string(glob) + '*', text) || glob_mistake(glob) != "",
            "a star more does not hurt");
    require(glob_matches("*", text), "a star matches everything");
    require(glob_matches(escaped(text), text), "an escaped text matches itself");
    require(glob_matches('*' + escaped(text) + '*', text), "and so it does between stars");
    require(text.empty() || !glob_matches("", text), "nothing matches only nothing");
    return 0;
}
