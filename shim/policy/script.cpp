#include <algorithm>
#include <string_view>

#include "shim/host/file.h"
#include "shim/policy/subject.h"

namespace ration::policy {
namespace {

// How an interpreter's options say where its script stands.
struct Interpreter {
    const char* name;
    bool prefix;              // the name may go on: python3.11, luajit
    const char* program;      // short options whose argument is the program
    const char* with_value;   // short options that take an argument
    const char* from_input;   // short options that read the program from standard input
    const char* long_values;  // long options that take the next argument, each followed by a space
};

// python: its manual page and --help; the others likewise.
constexpr Interpreter kInterpreters[] = {
    {"python", true, "c", "WXQ", "", "--check-hash-based-pycs "},
    {"bash", false, "c", "oO", "s", "--rcfile --init-file "},
    {"sh", false, "c", "o", "s", ""},
    {"perl", false, "eE", "", "", ""},
    {"ruby", false, "e", "rICE", "", ""},
    {"julia", false, "eE", "pJtLCOHm", "",
     "--project --threads --procs --sysimage --load --machine-file --cpu-target "},
    {"Rscript", false, "e", "", "", ""},
    {"node", false, "ep", "rC", "", "--require --import --loader --conditions --env-file "},
    {"lua", true, "e", "l", "", ""},
};

std::string_view name_of_program(std::string_view path) {
    std::string_view base = host::base_name(path);
    if (!base.empty() && base.front() == '-') base.remove_prefix(1);  // a login shell
    return base;
}

// perl5.36, node-20
std::string_view without_version(std::string_view name) {
    const std::size_t last = name.find_last_not_of("0123456789.-");
    return last == std::string_view::npos ? name : name.substr(0, last + 1);
}

const Interpreter* interpreter(std::string_view path) {
    const std::string_view base = name_of_program(path);
    for (const Interpreter& candidate : kInterpreters) {
        const std::string_view name = candidate.name;
        if (candidate.prefix ? base.substr(0, name.size()) == name
                             : without_version(base) == name) {
            return &candidate;
        }
    }
    return nullptr;
}

bool has(const char* letters, char letter) {
    return std::string_view(letters).find(letter) != std::string_view::npos;
}

// What a cluster of short options such as -Bum says.
struct Options {
    enum class Kind { kNothing, kTakesNext, kProgram, kModule, kInput };
    Kind kind = Kind::kNothing;
    char letter = 0;        // kProgram
    std::string_view rest;  // kModule: a name that follows without a space
};

Options short_options(const Interpreter& with, std::string_view letters) {
    using Kind = Options::Kind;
    const bool has_modules = std::string_view(with.name) == "python";
    for (std::size_t i = 0; i < letters.size(); ++i) {
        const char letter = letters[i];
        const std::string_view rest = letters.substr(i + 1);
        if (has(with.program, letter)) return {Kind::kProgram, letter, {}};
        if (has(with.from_input, letter)) return {Kind::kInput, letter, {}};
        if (has_modules && letter == 'm') return {Kind::kModule, letter, rest};
        if (has(with.with_value, letter)) {
            return {rest.empty() ? Kind::kTakesNext : Kind::kNothing, letter, {}};
        }
    }
    return {};
}

bool long_option_takes_next(const Interpreter& with, std::string_view option) {
    return option.find('=') == std::string_view::npos &&
           std::string_view(with.long_values).find(std::string(option) + ' ') !=
               std::string_view::npos;
}

// The script, or what stands for it, behind the interpreter's own options.
std::string find_script(const Interpreter& with, const std::vector<std::string>& arguments) {
    const auto after = [&](std::size_t i) {
        return i + 1 < arguments.size() ? arguments[i + 1] : std::string();
    };
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        if (argument == "-") return {};
        if (argument.empty() || (argument[0] != '-' && argument[0] != '+')) return arguments[i];
        if (argument == "--") return after(i);
        if (argument.substr(0, 2) == "--") {
            if (long_option_takes_next(with, argument)) ++i;
            continue;
        }
        const Options options = short_options(with, argument.substr(1));
        switch (options.kind) {
            case Options::Kind::kNothing:
                break;
            case Options::Kind::kTakesNext:
                ++i;
                break;
            case Options::Kind::kProgram:
                return {'-', options.letter};
            case Options::Kind::kInput:
                return {};
            case Options::Kind::kModule:
                return "-m " + (options.rest.empty() ? after(i) : std::string(options.rest));
        }
    }
    return {};
}

}  // namespace

std::string script_of(const std::string& exe, const std::vector<std::string>& arguments) {
    if (arguments.empty()) return {};
    const Interpreter* with = interpreter(exe);
    if (with == nullptr) with = interpreter(arguments[0]);
    return with == nullptr ? std::string() : find_script(*with, arguments);
}

}  // namespace ration::policy
