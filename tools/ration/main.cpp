// The command line: which subcommand, its options, its errors.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/ration/command.h"
#include "tools/ration/failure.h"
#include "tools/ration/output.h"

namespace ration::tool {
namespace {

// The only list of subcommands; help and the tests of man page and completion follow it.
constexpr Command kCommands[] = {
    {"run", "Start a program under a share of the GPU", "-- PROG [ARGS...]", add_run},
    {"env", "Print the same as lines for a shell or a worker_init", nullptr, add_env},
    {"check", "Report every mistake of a policy", nullptr, add_check},
    {"explain", "Say what a program gets, and why", "[-- PROG [ARGS...]]", add_explain},
    {"ps", "List GPU processes and what they were granted", nullptr, add_ps},
    {"doctor", "Find out whether programs can be confined here, and why not", nullptr, add_doctor},
    {"mps", "Start, stop or show the MPS daemon that lets programs run side by side", nullptr,
     add_mps},
};

// Shows PROG ARGS in the usage line, which CLI11 does not know of.
class HelpFormatter : public CLI::Formatter {
  public:
    explicit HelpFormatter(const char* program) : program_(program) { column_width(26); }
    std::string make_usage(const CLI::App* app, std::string name) const override {
        std::string text = CLI::Formatter::make_usage(app, std::move(name));
        if (program_ != nullptr) {
            text.insert(text.find_last_not_of('\n') + 1, std::string(" ") + program_);
        }
        return text;
    }

  private:
    const char* program_;
};

int help(bool as_json) {
    if (as_json) {
        Json commands = Json::array();
        for (const Command& command : kCommands) {
            commands.push_back({{"name", command.name}, {"summary", command.summary}});
        }
        print_json({{"commands", commands}});
        return kOk;
    }
    std::string text =
        "Confines unmodified CUDA programs to a share of a GPU.\n"
        "Usage: ration COMMAND [OPTIONS]\n\nCommands:\n";
    std::vector<std::vector<std::string>> rows;
    for (const Command& command : kCommands) {
        rows.push_back({"  " + std::string(command.name), command.summary});
    }
    print(text + table(rows) +
          "\nOptions:\n  --help     this text\n  --version  the version\n\n"
          "`ration COMMAND --help` says more, with examples; so does `man ration-COMMAND`.\n");
    return kOk;
}

int version(bool as_json) {
    if (as_json) {
        print_json({{"version", RATION_VERSION}});
    } else {
        print("ration " RATION_VERSION "\n");
    }
    return kOk;
}

Failure no_such_command(const std::string& name, const std::vector<std::string>& known) {
    std::string names;
    for (const std::string& each : known) {
        names += (names.empty() ? "" : ", ") + each;
    }
    return {kUsage, name + ": no such command; there are " + names};
}

// Where PROG begins: behind "--", or at the first word that is neither an option nor an option's
// value. By hand, so that options of PROG are never taken for ours and a mistyped option of ours is
// never taken for PROG.
std::size_t program_start(const CLI::App& app, const std::vector<std::string>& arguments) {
    std::size_t i = 0;
    while (i < arguments.size() && arguments[i] != "--") {
        const std::string& word = arguments[i];
        if (word.size() < 2 || word[0] != '-') {
            return i;
        }
        const CLI::Option* option = app.get_option_no_throw(word.substr(0, word.find('=')));
        const bool takes_next = option != nullptr && option->get_items_expected_max() > 0 &&
                                word.find('=') == std::string::npos;
        i += takes_next ? 2 : 1;
    }
    return std::min(i, arguments.size());
}

int report(const std::string& command, bool as_json, const Failure& failure) {
    const std::string text = failure.what();
    const bool starts_program = command == "run";
    const Json json{{"error", text}, {"exit", failure.code()}};
    if (as_json && starts_program) {
        // stdout belongs to the program
        const std::string line = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
        (void)!fwrite(line.data(), 1, line.size(), stderr);
        return failure.code();
    }
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find('\n', begin), text.size());
        complain(text.substr(begin, end - begin));
        begin = end + 1;
    }
    if (as_json) {
        print_json(json);
    }
    return failure.code();
}

bool has_json(const std::vector<std::string>& arguments) {
    return std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
}

std::vector<std::string> subcommands(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
        names.push_back(each->get_name());
    }
    return names;
}

// The first word that is no option, where the command takes the name of a subcommand and it is
// none.
std::string missing_subcommand(const CLI::App& app, const std::vector<std::string>& arguments) {
    const auto word = std::find_if(arguments.begin(), arguments.end(),
                                   [](const std::string& each) { return each.rfind('-', 0) != 0; });
    const std::vector<std::string> known = subcommands(app);
    const bool wanted = app.get_require_subcommand_min() > 0 && word != arguments.end();
    return wanted && std::find(known.begin(), known.end(), *word) == known.end() ? *word : "";
}

int parse_error(const CLI::App& app, const CLI::ParseError& error, const Command& command,
                bool as_json) {
    if (dynamic_cast<const CLI::CallForHelp*>(&error) != nullptr) {
        print(app.help());
        return kOk;
    }
    const std::string text = std::string(error.what()) + " (see " + app.get_name() + " --help)";
    return report(command.name, as_json, Failure(kUsage, text));
}

int execute(const Command& command, std::vector<std::string> arguments) {
    CLI::App app(command.summary, std::string("ration ") + command.name);
    app.formatter(std::make_shared<HelpFormatter>(command.program));
    app.set_help_flag("--help,-h", "This text");
    Invocation invocation;
    app.add_flag("--json", invocation.json, "Print JSON; the manual page names the fields");
    const Action action = command.add(app);
    if (command.program != nullptr) {
        const std::size_t start = program_start(app, arguments);
        const bool marked = start < arguments.size() && arguments[start] == "--";
        invocation.program.assign(arguments.begin() + static_cast<long>(start + (marked ? 1 : 0)),
                                  arguments.end());
        arguments.resize(start);
    }
    // Before the options are understood, and even if they are not; PROG's are gone from here.
    const bool as_json = has_json(arguments);
    const std::string unknown = missing_subcommand(app, arguments);
    if (!unknown.empty()) {
        const std::string name = std::string(command.name) + " " + unknown;
        return report(command.name, as_json, no_such_command(name, subcommands(app)));
    }
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
    try {
        app.parse(arguments);
        return action(invocation);
    } catch (const CLI::ParseError& error) {
        return parse_error(app, error, command, as_json);
    } catch (const Failure& failure) {
        return report(command.name, invocation.json, failure);
    }
}

int dispatch(const std::vector<std::string>& arguments) {
    const std::string name = arguments.empty() ? "" : arguments[0];
    std::vector<std::string> names;
    for (const Command& command : kCommands) {
        if (name == command.name) {
            return execute(command, {arguments.begin() + 1, arguments.end()});
        }
        names.emplace_back(command.name);
    }
    const bool as_json = has_json(arguments);
    if (name == "help" && arguments.size() == (as_json ? 3U : 2U) && arguments[1] != "--json") {
        return dispatch({arguments[1], "--help"});
    }
    if (name == "--help" || name == "-h" || name == "help") {
        return help(as_json);
    }
    if (name == "--version") {
        return version(as_json);
    }
    return report(name, as_json,
                  name.empty() || name == "--json"
                      ? Failure(kUsage, "which command? See ration --help")
                      : no_such_command(name, names));
}

}  // namespace
}  // namespace ration::tool

int main(int argc, char** argv) {
    try {
        return ration::tool::dispatch({argv + 1, argv + std::max(argc, 1)});
    } catch (const std::exception& error) {
        ration::tool::complain(error.what());
        return ration::tool::kFailed;
    }
}
