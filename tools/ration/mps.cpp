// ration mps: the daemon that lets processes run side by side on one GPU.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "shim/cuda/inventory.h"
#include "shim/cuda/mps_pipe.h"
#include "shim/policy/read.h"
#include "tools/ration/command.h"
#include "tools/ration/failure.h"
#include "tools/ration/mps_control.h"
#include "tools/ration/mps_daemon.h"
#include "tools/ration/output.h"
#include "tools/ration/runtime.h"
#include "tools/ration/share_options.h"

namespace ration::tool {
namespace {

struct Options {
    bool system = false;
    bool multi_user = false;
    std::string share;
    std::string memory;
    unsigned timeout = 0;  // seconds
    bool timed = false;
    bool force = false;
};

std::vector<cuda::MpsPipe> all_pipes() {
    return cuda::probe_pipes(own_environment(cuda::kMpsPipeVariable), runtime_directory(false));
}

std::string word(const cuda::MpsPipe& pipe) {
    return fmt::format("{} daemon at {}{}", cuda::name(pipe.origin), pipe.directory,
                       pipe.pid == 0 ? "" : fmt::format(", pid {}", pipe.pid));
}

// The ceilings, read as the policy reads shares and sizes.
MpsCeilings ceilings_of(const Options& options) {
    MpsCeilings ceilings;
    if (options.share.empty() && options.memory.empty()) {
        return ceilings;
    }
    policy::Inline inline_options;
    inline_options.share = options.share;
    inline_options.memory = options.memory;
    const policy::Loaded loaded = policy::read_inline(inline_options);
    if (!loaded.problems.empty()) {
        // The reader calls them --share and --memory.
        std::string text = policy::format(loaded.problems.front());
        throw Failure(kUsage, text.replace(0, 2, "--default-"));
    }
    const policy::Partition& partition = loaded.policy.partitions.begin()->second;
    ceilings.share = partition.share.value_or(0);
    if (partition.memory) {
        const auto* bytes = std::get_if<std::uint64_t>(&partition.memory->amount);
        if (bytes == nullptr || *bytes < 1U << 20U) {
            throw Failure(kUsage,
                          "--default-memory must be a size of at least 1 MiB: " + options.memory);
        }
        ceilings.memory_mib = static_cast<unsigned>(*bytes >> 20U);
    }
    return ceilings;
}

unsigned device_count(const MpsCeilings& ceilings) {
    if (ceilings.memory_mib == 0) {
        return 0;
    }
    const cuda::Inventory inventory = cuda::read_inventory(false);
    if (inventory.devices.empty()) {
        throw Failure(kFailed,
                      "--default-memory is set for each device, but no device was found: " +
                          inventory.problem);
    }
    return static_cast<unsigned>(inventory.devices.size());
}

void say_started(const cuda::MpsPipe& daemon, bool started, const MpsPlace& place, bool json) {
    if (json) {
        Json value = to_json(daemon);
        value["started"] = started;
        value["log_directory"] = daemon.directory == place.pipe() ? Json(place.log()) : Json();
        print_json(value);
        return;
    }
    print(fmt::format("{}: {}\n", started ? "started" : "already running", word(daemon)));
    if (started) {
        print(fmt::format("log: {}\nprograms under ration find it; others need {}={}\n",
                          place.log(), cuda::kMpsPipeVariable, daemon.directory));
    }
}

// The daemon that serves the caller already, if any: for the system's, only that one counts.
std::optional<cuda::MpsPipe> running(const MpsPlace& place, bool any) {
    if (any && !place.system) {
        return cuda::find_daemon(own_environment(cuda::kMpsPipeVariable), runtime_directory(false));
    }
    const auto origin = place.system ? cuda::PipeOrigin::kSystem : cuda::PipeOrigin::kPrivate;
    const cuda::MpsPipe pipe = cuda::probe_pipe(place.pipe(), origin);
    return pipe.state == cuda::PipeState::kAlive ? std::optional(pipe) : std::nullopt;
}

void require_root(const Options& options) {
    if (options.system && geteuid() != 0 &&
        own_environment("RATION_RUNTIME_DIR").value_or("").empty()) {
        throw Failure(kFailed,
                      "--system is for root, because that daemon serves every user: use sudo, or "
                      "`ration mps ensure` for a daemon of your own");
    }
}

// ensure and start: they differ in what a running daemon means.
int begin(const Options& options, bool ensure, bool json) {
    require_root(options);
    const MpsCeilings ceilings = ceilings_of(options);
    const MpsPlace place = mps_place(options.system);
    std::optional<cuda::MpsPipe> daemon = running(place, ensure);
    bool started = false;
    // Without its pid written, ours is being started at this moment by somebody who holds the lock.
    const bool starting = daemon && daemon->pid == 0 && daemon->directory == place.pipe();
    if (!daemon || starting) {
        const MpsLock lock(place);
        daemon = running(place, false);  // another starter may have been quicker
        if (!daemon) {
            const MultiUser multi_user = options.multi_user ? MultiUser::kRequired
                                         : options.system   ? MultiUser::kIfSupported
                                                            : MultiUser::kNo;
            daemon = start_daemon(place, multi_user);
            started = true;
        }
    }
    if (!started && !ensure) {
        throw Failure(kFailed,
                      "already running: " + word(*daemon) + "; stop it first, or use ensure");
    }
    set_ceilings(daemon->directory, ceilings, device_count(ceilings));
    say_started(*daemon, started, place, json);
    return kOk;
}

int stop(const Options& options, bool json) {
    require_root(options);
    const MpsPlace place = mps_place(options.system);
    const std::optional<cuda::MpsPipe> daemon = running(place, false);
    if (!daemon) {
        throw Failure(kFailed, "no MPS daemon at " + place.pipe() +
                                   "; `ration mps status` shows which there are");
    }
    StopPlan plan;
    plan.force = options.force;
    if (options.timed) {
        plan.timeout = options.timeout;
        plan.patience = std::chrono::seconds(options.timeout + 30);
    }
    if (!options.force && !options.timed) {
        std::string pids;
        for (const MpsClient& client : mps_clients(daemon->directory)) {
            pids += (pids.empty() ? "" : ", ") + std::to_string(client.pid);
        }
        if (!pids.empty()) {
            complain("waiting for clients to end: " + pids +
                     " (--timeout SECONDS or --force cuts them off)");
        }
    }
    const bool ended = stop_daemon(*daemon, plan);
    if (!ended) {
        throw Failure(kFailed, "still running: " + word(*daemon) + "; try --force");
    }
    if (json) {
        print_json({{"stopped", true}, {"pipe_directory", daemon->directory}});
    } else {
        print("stopped: " + word(*daemon) + "\n");
    }
    return kOk;
}

Json details(const cuda::MpsPipe& daemon) {
    Json clients = Json::array();
    for (const MpsClient& client : mps_clients(daemon.directory)) {
        clients.push_back({{"pid", client.pid},
                           {"server", client.server},
                           {"device", client.device},
                           {"command", client.command}});
    }
    Json limits = Json::object();
    const cuda::Inventory inventory = cuda::read_inventory(false);
    for (std::size_t i = 0; i < inventory.devices.size(); ++i) {
        const std::string limit =
            ask_daemon(daemon.directory, fmt::format("get_default_device_pinned_mem_limit {}", i));
        limits[std::to_string(i)] = limit.empty() ? Json() : Json(limit);
    }
    return {{"servers", mps_servers(daemon.directory)},
            {"clients", clients},
            {"default_share", ask_daemon(daemon.directory, "get_default_active_thread_percentage")},
            {"default_memory", limits}};
}

std::string details_text(const Json& daemon) {
    std::string text = "  default share: " + daemon["default_share"].get<std::string>() + " %\n";
    for (const auto& [device, limit] : daemon["default_memory"].items()) {
        if (!limit.is_null()) {
            text += "  default memory of device " + device + ": " + limit.get<std::string>() + "\n";
        }
    }
    text += "  servers: ";
    for (const Json& server : daemon["servers"]) {
        text += std::to_string(server.get<int>()) + " ";
    }
    text += daemon["servers"].empty() ? "none yet\n" : "\n";
    if (daemon["clients"].empty()) {
        return text + "  clients: none\n";
    }
    std::vector<std::vector<std::string>> rows{{"  PID", "SERVER", "DEVICE", "COMMAND"}};
    for (const Json& client : daemon["clients"]) {
        rows.push_back({"  " + std::to_string(client["pid"].get<int>()),
                        std::to_string(client["server"].get<int>()),
                        client["device"].get<std::string>(), client["command"].get<std::string>()});
    }
    return text + table(rows);
}

int status(bool json) {
    Json daemons = Json::array();
    bool alive = false;
    for (const cuda::MpsPipe& pipe : all_pipes()) {
        Json value = to_json(pipe);
        if (pipe.state == cuda::PipeState::kAlive) {
            // The first that is alive is the one that programs under ration use.
            value["used"] = !alive;
            alive = true;
            value.update(details(pipe));
        } else {
            value["used"] = false;
        }
        daemons.push_back(value);
    }
    if (json) {
        print_json({{"daemons", daemons}});
        return alive ? kOk : kFailed;
    }
    std::string text;
    for (const Json& daemon : daemons) {
        const bool live = daemon["state"] == "alive";
        text += fmt::format(
            "{}: {} ({}){}\n", daemon["pipe_directory"].get<std::string>(),
            paint(live ? Colour::kGreen : Colour::kDim, daemon["state"].get<std::string>()),
            daemon["origin"].get<std::string>(),
            daemon["used"].get<bool>() ? ", used by programs under ration" : "");
        text += live ? details_text(daemon) : "";
    }
    print(text + (alive ? "" : "no MPS daemon: start one with `ration mps ensure`\n"));
    return alive ? kOk : kFailed;
}

void add_start_options(CLI::App& app, Options& options) {
    app.add_flag("--system", options.system, "The daemon for every user, at /run/ration (root)");
    app.add_option("--default-share", options.share, "Most that a client gets of each GPU")
        ->type_name("PERCENT");
    app.add_option("--default-memory", options.memory, "Most memory a client gets on each GPU")
        ->type_name("SIZE");
    app.add_flag("--multi-user", options.multi_user,
                 "One server for all users at once, or fail (with --system: if supported)");
}

void add_stop_options(CLI::App& app, Options& options) {
    app.add_flag("--system", options.system, "The daemon for every user (root)");
    app.add_option("--timeout", options.timeout, "Cut clients off after so many seconds")
        ->type_name("SECONDS")
        ->each([&options](const std::string&) { options.timed = true; });
    app.add_flag("--force", options.force, "Cut clients off now; kill a daemon that hangs");
}

}  // namespace

Action add_mps(CLI::App& app) {
    auto options = std::make_shared<Options>();
    auto* ensure = app.add_subcommand("ensure", "Start your own daemon unless one serves you");
    auto* start = app.add_subcommand("start", "Start one; fail if it runs already");
    auto* stop_command = app.add_subcommand("stop", "End it once its clients have ended");
    auto* status_command = app.add_subcommand("status", "Daemons, servers, clients and defaults");
    add_start_options(*ensure, *options);
    add_start_options(*start, *options);
    add_stop_options(*stop_command, *options);
    for (CLI::App* command : {ensure, start, stop_command, status_command}) {
        command->fallthrough();  // --json belongs to all
    }
    app.require_subcommand(1);
    app.footer(
        "Programs under ration find the daemon without exports, in this order:\n"
        "CUDA_MPS_PIPE_DIRECTORY, your own, the system's (/run/ration/mps/pipe), /tmp/nvidia-mps.\n"
        "The GPU's compute mode is never changed.\n"
        "\n"
        "Examples:\n"
        "  ration mps ensure\n"
        "  sudo ration mps start --system --default-share 50% --default-memory 20GiB\n"
        "  ration mps stop --timeout 10\n"
        "\n"
        "Exit codes: 0 done, 1 failed, or status found no daemon, 2 wrong options.");
    return [options, ensure, start, stop_command](const Invocation& invocation) {
        if (ensure->parsed() || start->parsed()) {
            return begin(*options, ensure->parsed(), invocation.json);
        }
        return stop_command->parsed() ? stop(*options, invocation.json) : status(invocation.json);
    };
}

}  // namespace ration::tool
