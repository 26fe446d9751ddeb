#include "tools/ration/mps_control.h"

#include <fmt/core.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tools/ration/child.h"
#include "tools/ration/failure.h"
#include "tools/ration/program.h"
#include "tools/ration/runtime.h"

namespace ration::tool {
namespace {

constexpr const char* kControl = "nvidia-cuda-mps-control";

std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
        text.pop_back();
    }
    return text;
}

void expect(const std::string& what, const std::string& wanted, const std::string& got) {
    if (wanted != got) {
        throw Failure(kFailed, fmt::format("the MPS daemon did not take {} {}: it says \"{}\"",
                                           what, wanted, got));
    }
}

// A limit as the daemon writes it, in whole MiB: it says "8G" of 8192M (measured: H100, driver
// 580.159.04). Anything else stays as it is.
std::string mebibytes(const std::string& limit) {
    char* unit = nullptr;
    const unsigned long long number = strtoull(limit.c_str(), &unit, 10);
    return std::string_view(unit) == "G" ? fmt::format("{}M", number * 1024) : limit;
}

}  // namespace

std::string control_program() {
    for (const char* folder : {"", "/usr/local/nvidia/bin/", "/usr/bin/"}) {
        const Program program = inspect_program({folder + std::string(kControl)});
        if (program.code != kNotFound && program.code != kNotRunnable) {
            return program.path;
        }
    }
    throw Failure(kFailed,
                  "nvidia-cuda-mps-control is not on PATH; it comes with the NVIDIA driver's "
                  "compute utilities (in a container: NVIDIA_DRIVER_CAPABILITIES=compute,utility)");
}

std::string ask_daemon(const std::string& pipe_directory, const std::string& command,
                       std::chrono::milliseconds limit) {
    ChildPlan plan;
    plan.command = {control_program()};
    plan.input = command + "\n";
    plan.set = {{cuda::kMpsPipeVariable, pipe_directory}};
    plan.unset = {"LD_PRELOAD"};
    plan.limit = limit;
    const ChildResult result = run_child(plan);
    if (result.timed_out) {
        throw Failure(kFailed, fmt::format("the MPS daemon at {} did not answer \"{}\" within {} s",
                                           pipe_directory, command, limit.count() / 1000));
    }
    if (result.status != 0) {
        throw Failure(kFailed, fmt::format("the MPS daemon at {} did not take \"{}\": {}",
                                           pipe_directory, command, trimmed(result.output)));
    }
    return trimmed(result.output);
}

Json to_json(const cuda::MpsPipe& pipe) {
    const bool there =
        pipe.state == cuda::PipeState::kAlive || pipe.state == cuda::PipeState::kForeign;
    return {{"pipe_directory", pipe.directory},
            {"origin", cuda::name(pipe.origin)},
            {"state", cuda::name(pipe.state)},
            {"pid", pipe.pid == 0 ? Json() : Json(pipe.pid)},
            {"user", there ? Json(user_name(pipe.uid)) : Json()}};
}

std::vector<MpsClient> mps_clients(const std::string& pipe_directory) {
    std::vector<MpsClient> clients;
    std::istringstream lines(ask_daemon(pipe_directory, "ps"));
    for (std::string line; std::getline(lines, line);) {
        // PID ID SERVER DEVICE NAMESPACE COMMAND; the heading has no number in front
        std::istringstream words(line);
        MpsClient client;
        std::string id;
        std::string name_space;
        if (words >> client.pid >> id >> client.server >> client.device >> name_space) {
            std::getline(words >> std::ws, client.command);
            client.command = trimmed(client.command);
            clients.push_back(std::move(client));
        }
    }
    return clients;
}

std::vector<int> mps_servers(const std::string& pipe_directory) {
    std::vector<int> servers;
    std::istringstream words(ask_daemon(pipe_directory, "get_server_list"));
    for (int pid = 0; words >> pid;) {
        servers.push_back(pid);
    }
    return servers;
}

void set_ceilings(const std::string& pipe_directory, const MpsCeilings& ceilings,
                  unsigned devices) {
    if (ceilings.share > 0) {
        const std::string percent = fmt::format("{}", ceilings.share);
        ask_daemon(pipe_directory, "set_default_active_thread_percentage " + percent);
        // The daemon writes "50.0" for 50.
        const std::string now = ask_daemon(pipe_directory, "get_default_active_thread_percentage");
        expect("the percentage", fmt::format("{:.1f}", ceilings.share),
               fmt::format("{:.1f}", strtod(now.c_str(), nullptr)));
    }
    for (unsigned device = 0; ceilings.memory_mib > 0 && device < devices; ++device) {
        // Whole MiB: the driver takes "2.5G" and bare bytes without complaint and gets them wrong
        // (measured: H100, driver 580.159.04).
        const std::string limit = fmt::format("{}M", ceilings.memory_mib);
        ask_daemon(pipe_directory,
                   fmt::format("set_default_device_pinned_mem_limit {} {}", device, limit));
        const std::string now = ask_daemon(
            pipe_directory, fmt::format("get_default_device_pinned_mem_limit {}", device));
        expect("the memory limit", limit, mebibytes(now));
    }
}

}  // namespace ration::tool
