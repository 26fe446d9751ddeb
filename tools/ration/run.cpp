// ration run: starts a program under a share.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/ration/command.h"
#include "tools/ration/failure.h"
#include "tools/ration/launch.h"
#include "tools/ration/output.h"
#include "tools/ration/preload.h"
#include "tools/ration/program.h"

namespace ration::tool {
namespace {

struct Options {
    ShareOptions share;
    bool dry = false;
};

[[noreturn]] void start(const std::vector<std::string>& command, const Changes& changes) {
    for (const std::string& name : changes.unset) {
        unsetenv(name.c_str());
    }
    for (const auto& [name, value] : changes.set) {
        setenv(name.c_str(), value.c_str(), 1);
    }
    std::vector<char*> arguments;
    for (const std::string& argument : command) {
        arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    const int error = errno;
    throw Failure(error == ENOENT ? kNotFound : kNotRunnable,
                  with_errno("cannot start " + command[0], error));
}

void print_plan(const Launch& launch, const Program& program, const Changes& changes,
                const Invocation& invocation) {
    if (invocation.json) {
        Json environment = Json::object();
        for (const auto& [name, value] : changes.set) {
            environment[name] = value;
        }
        print_json({{"program", program.path},
                    {"interpreters", program.interpreters},
                    {"arguments", invocation.program},
                    {"library", launch.library},
                    {"policy", launch.found.loaded.policy.files},
                    {"origin", launch.found.origin},
                    {"set", environment},
                    {"unset", changes.unset}});
        return;
    }
    std::string text = "would start " + program.path + "\n";
    for (const auto& [name, value] : changes.set) {
        text += "  " + name + "=" + printable(value) + "\n";
    }
    print(text);
}

int run(const Options& options, const Invocation& invocation) {
    if (invocation.program.empty()) {
        throw Failure(kUsage, "run: which program? (ration run [OPTIONS] -- PROG [ARGS])");
    }
    const Launch launch = prepare_launch(options.share);
    const Program program = inspect_program(invocation.program);
    if (!program.obstacle.empty()) {
        throw Failure(program.code, program.obstacle);
    }
    Changes changes = launch.changes;
    const std::string runtime = program.elf ? sanitizer_runtime(program.elf->needed) : "";
    changes.set.emplace_back("LD_PRELOAD", merge_preload(own_environment("LD_PRELOAD").value_or(""),
                                                         launch.library, runtime));
    if (options.dry) {
        print_plan(launch, program, changes, invocation);
        return kOk;
    }
    start(invocation.program, changes);
}

}  // namespace

Action add_run(CLI::App& app) {
    auto options = std::make_shared<Options>();
    add_share_options(app, options->share);
    app.add_flag("--dry-run", options->dry, "Say what would be started, and start nothing");
    app.footer(
        "Without --policy and flags, the program follows the policy that it finds: RATION_POLICY,\n"
        "your own (~/.config/ration/policy.toml), or the site's (/etc/ration).\n"
        "\n"
        "Examples:\n"
        "  ration run --share 25% -- python train.py\n"
        "  ration run --memory 2GiB --device 0,1 -- ./solver input.dat\n"
        "  ration run --policy policy.toml --use partition.half -- python train.py\n"
        "\n"
        "Exit codes: the program's own; 2 wrong options or policy, 125 the program can't be\n"
        "confined (static, set-user-ID, 32-bit, musl), 126 not executable, 127 not found.");
    return [options](const Invocation& invocation) { return run(*options, invocation); };
}

}  // namespace ration::tool
