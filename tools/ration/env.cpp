// ration env: the same as run, as lines for a shell.
#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/ration/command.h"
#include "tools/ration/failure.h"
#include "tools/ration/launch.h"
#include "tools/ration/output.h"
#include "tools/ration/preload.h"
#include "tools/ration/shell.h"

namespace ration::tool {
namespace {

struct Options {
    ShareOptions share;
    Shell shell = Shell::kSh;
};

void print_lines(const Launch& launch, Shell shell) {
    std::string text;
    for (const std::string& name : launch.changes.unset) {
        text += unset_line(shell, name);
    }
    for (const auto& [name, value] : launch.changes.set) {
        text += export_line(shell, name, value);
    }
    // Last, because it takes effect for every command that comes after it.
    print(text + preload_lines(shell, launch.library));
}

int env(const Options& options, const Invocation& invocation) {
    const Launch launch = prepare_launch(options.share);
    if (!invocation.json) {
        print_lines(launch, options.shell);
        return kOk;
    }
    Json set = Json::object();
    for (const auto& [name, value] : launch.changes.set) {
        set[name] = value;
    }
    set["LD_PRELOAD"] = merge_preload(own_environment("LD_PRELOAD").value_or(""), launch.library);
    print_json({{"library", launch.library},
                {"policy", launch.found.loaded.policy.files},
                {"origin", launch.found.origin},
                {"set", set},
                {"unset", launch.changes.unset}});
    return kOk;
}

}  // namespace

Action add_env(CLI::App& app) {
    auto options = std::make_shared<Options>();
    add_share_options(app, options->share);
    const std::map<std::string, Shell> shells{{"sh", Shell::kSh}, {"fish", Shell::kFish}};
    app.add_option("--shell", options->shell, "Whose syntax; sh is for bash, zsh and ksh too")
        ->transform(CLI::CheckedTransformer(shells).description(""))
        ->type_name("sh|fish");
    app.footer(
        "LD_PRELOAD is merged when the lines are evaluated; evaluating them twice is harmless.\n"
        "\n"
        "Examples:\n"
        "  eval \"$(ration env --share 25%)\"\n"
        "  ration env --share 25% >> worker_init.sh\n"
        "  ration env --shell fish --policy policy.toml | source\n"
        "\n"
        "Exit codes: 0 printed, 2 wrong options or policy, 125 libration.so was not found.");
    return [options](const Invocation& invocation) { return env(*options, invocation); };
}

}  // namespace ration::tool
