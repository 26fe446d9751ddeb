// The subcommands, one file each.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace ration::tool {

// What main found on the command line besides the subcommand's own options.
struct Invocation {
    bool json = false;                 // --json, which every subcommand has
    std::vector<std::string> program;  // PROG ARGS, for subcommands that take a command line
};

// What a subcommand does once its options are parsed; returns the exit code, may throw Failure.
using Action = std::function<int(const Invocation&)>;

struct Command {
    const char* name;
    const char* summary;
    const char* program;           // how the usage line shows PROG ARGS; null if it takes none
    Action (*add)(CLI::App& app);  // adds options, returns what to do
};

Action add_run(CLI::App& app);
Action add_env(CLI::App& app);
Action add_check(CLI::App& app);
Action add_explain(CLI::App& app);
Action add_ps(CLI::App& app);
Action add_doctor(CLI::App& app);
Action add_mps(CLI::App& app);

}  // namespace ration::tool
