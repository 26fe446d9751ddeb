// ration explain: what a process gets, and why.
#include <CLI/CLI.hpp>
#include <memory>

#include "tools/ration/command.h"
#include "tools/ration/explanation.h"
#include "tools/ration/failure.h"
#include "tools/ration/output.h"

namespace ration::tool {
namespace {

struct Options {
    ShareOptions share;
    int pid = 0;  // 0: not given
};

constexpr int kLargestPid = 4194304;  // PID_MAX_LIMIT, include/linux/threads.h

int exit_code(const Explanation& explanation) {
    return is_refused(explanation) && explanation.records.empty() ? kFailed : kOk;
}

int explain(const Options& options, const Invocation& invocation) {
    if (options.pid != 0 && !invocation.program.empty()) {
        throw Failure(kUsage, "--pid and a command exclude each other");
    }
    const Explanation explanation = options.pid != 0
                                        ? explain_process(options.pid)
                                        : explain_command(options.share, invocation.program);
    const policy::Diagnostics& problems = explanation.found.loaded.problems;
    if (!problems.empty() && explanation.records.empty()) {
        throw Failure(kUsage, lines(problems));
    }
    if (invocation.json) {
        print_json(explanation_json(explanation));
    } else {
        print(explanation_text(explanation));
    }
    return exit_code(explanation);
}

}  // namespace

Action add_explain(CLI::App& app) {
    auto options = std::make_shared<Options>();
    add_share_options(app, options->share);
    app.add_option("--pid", options->pid, "A process: what it was really granted")
        ->type_name("PID")
        ->check(CLI::Range(1, kLargestPid));
    app.footer(
        "Which policy and why, each rule up to the one that matches, the slot, the mechanism, "
        "what\n"
        "the driver will see, and the grant. Without PROG: for this shell. The grant of a command "
        "is\n"
        "predicted from what NVML says of the GPUs; only --pid tells what the driver granted.\n"
        "\n"
        "Examples:\n"
        "  ration explain -- python train.py\n"
        "  PARSL_WORKER_RANK=3 ration explain --policy paper.toml -- python -c pass\n"
        "  ration explain --pid 4711\n"
        "\n"
        "Exit codes: 0 confined or not concerned, 1 refused, 2 wrong options or policy.");
    return [options](const Invocation& invocation) { return explain(*options, invocation); };
}

}  // namespace ration::tool
