#include "tools/ration/node_facts.h"

#include <fmt/core.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "shim/cuda/inventory.h"
#include "shim/cuda/mps_pipe.h"
#include "shim/policy/search.h"
#include "shim/policy/wording.h"
#include "tools/ration/driver_audit.h"
#include "tools/ration/failure.h"
#include "tools/ration/mps_control.h"
#include "tools/ration/preload.h"
#include "tools/ration/program.h"
#include "tools/ration/runtime.h"
#include "tools/ration/share_options.h"

namespace ration::tool {
namespace {

// /dev/nvidia0, /dev/nvidiactl, /dev/nvidia-uvm, ..., /dev/kfd
std::vector<std::string> device_nodes() {
    std::vector<std::string> nodes;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/dev", error)) {
        const std::string name = entry.path().filename().string();
        if (name.rfind("nvidia", 0) == 0 || name == "kfd") {
            nodes.push_back(entry.path().string());
        }
    }
    std::sort(nodes.begin(), nodes.end());
    return nodes;
}

Json line_of(const std::string& file) {
    std::ifstream in(file);
    std::string line;
    return std::getline(in, line) ? Json(line) : Json();
}

bool starts_with(const std::string& text, const char* beginning) {
    return text.rfind(beginning, 0) == 0;
}

// By which way the program reaches CUDA, as far as its file shows.
std::string cuda_route(const ElfFile& elf) {
    for (const std::string& needed : elf.needed) {
        if (starts_with(needed, "libcuda.so")) {
            return "linked to " + needed;
        }
        if (starts_with(needed, "libcudart.so")) {
            return "linked to " + needed;
        }
    }
    if (elf.static_cudart) {
        return "CUDA runtime linked in statically";
    }
    return elf.device_code ? "holds device code" : "none in the file; it may load CUDA later";
}

const char* kind_name(policy::Found::Kind kind) {
    switch (kind) {
        case policy::Found::Kind::kDisabled:
            return "disabled";
        case policy::Found::Kind::kPolicy:
            return "policy";
        case policy::Found::Kind::kNone:
            break;
    }
    return "none";
}

}  // namespace

Json kernel_facts() {
    utsname system{};
    uname(&system);
    return {{"kernel", fmt::format("{} {}", system.release, system.machine)},
            {"driver_module", line_of("/proc/driver/nvidia/version")},
            {"device_nodes", device_nodes()},
            {"no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1}};
}

Json nvml_facts() {
    const cuda::Inventory inventory = cuda::read_inventory(true);
    Json devices = Json::array();
    for (const cuda::Device& device : inventory.devices) {
        devices.push_back({{"index", devices.size()},
                           {"uuid", device.uuid},
                           {"pci", device.pci},
                           {"name", device.name},
                           {"memory", device.memory},
                           {"sms", device.sms}});
    }
    Json instances = Json::array();
    for (const cuda::MigInstance& instance : inventory.instances) {
        instances.push_back({{"uuid", instance.uuid},
                             {"profile", instance.profile},
                             {"memory", instance.memory},
                             {"sms", instance.sms},
                             {"device", instance.parent}});
    }
    return {{"devices", devices},
            {"mig_instances", instances},
            {"problem", inventory.problem.empty() ? Json() : Json(inventory.problem)}};
}

Json mps_facts(Findings& findings) {
    Json daemons = Json::array();
    bool alive = false;
    for (const cuda::MpsPipe& pipe :
         cuda::probe_pipes(own_environment(cuda::kMpsPipeVariable), runtime_directory(false))) {
        alive = alive || pipe.state == cuda::PipeState::kAlive;
        daemons.push_back(to_json(pipe));
    }
    Json program;
    try {
        program = control_program();
    } catch (const Failure& failure) {
        if (!alive) {
            findings.push_back({false, failure.what()});
        }
    }
    if (!alive) {
        findings.push_back({false,
                            "no MPS daemon serves you, so `share` and `memory` cannot be "
                            "enforced: start one with `ration mps ensure`"});
    }
    return {{"control_program", program}, {"daemons", daemons}};
}

Json library_facts(Findings& findings) {
    try {
        return {{"path", library_path()}, {"problem", nullptr}};
    } catch (const Failure& failure) {
        findings.push_back({true, failure.what()});
        return {{"path", nullptr}, {"problem", failure.what()}};
    }
}

Json policy_facts(Findings& findings) {
    const policy::Found found = policy::find(own_environment);
    Json problems = Json::array();
    for (const policy::Diagnostic& problem : found.loaded.problems) {
        problems.push_back(policy::format(problem));
    }
    if (!problems.empty()) {
        findings.push_back(
            {true, "the policy has mistakes, so GPU calls fail: see `ration check`"});
    }
    return {{"kind", kind_name(found.kind)},
            {"origin", found.origin},
            {"files", found.loaded.policy.files},
            {"locked_out", found.locked_out},
            {"problems", problems}};
}

Json binary_facts(const std::string& name, Findings& findings) {
    const Program program = inspect_program({name});
    if (!program.obstacle.empty()) {
        findings.push_back({true, program.obstacle});
    }
    Json facts{{"path", program.path},
               {"interpreters", program.interpreters},
               {"loaded", program.loaded()},
               {"reached", program.obstacle.empty()},
               {"obstacle", program.obstacle.empty() ? Json() : Json(program.obstacle)},
               {"loader", nullptr},
               {"cuda", nullptr},
               {"needed", Json::array()}};
    if (program.elf) {
        facts["loader"] = program.elf->interpreter;
        facts["cuda"] = cuda_route(*program.elf);
        facts["needed"] = program.elf->needed;
        const std::string runtime = sanitizer_runtime(program.elf->needed);
        if (!runtime.empty()) {
            findings.push_back({false, program.loaded() + " needs " + runtime +
                                           " in front of all: `ration run` puts it there"});
        }
    }
    return facts;
}

Json audit_facts(const std::string& file, Findings& findings) {
    const DriverAudit audit = audit_driver(file);
    for (const std::string& name : audit.unhooked) {
        findings.push_back(
            {true, file + ": " + name +
                       " makes or takes a context and is not hooked; this ration is too old for "
                       "the driver"});
    }
    if (!audit.unknown.empty()) {
        findings.push_back(
            {false, file + ": " + policy::join(audit.unknown) +
                        (audit.unknown.size() == 1 ? " is" : " are") +
                        " newer than what this ration knows: mechanism \"green\" does not order "
                        "streams across them, and no memory quota counts them; update ration"});
    }
    Json harmless = Json::array();
    for (const DriverAudit::Harmless& entry : audit.harmless) {
        harmless.push_back({{"symbol", entry.symbol}, {"why", entry.why}});
    }
    return {{"file", file},
            {"exported", audit.exported},
            {"hooked", audit.hooked},
            {"missing", audit.missing},
            {"unhooked", audit.unhooked},
            {"unknown", audit.unknown},
            {"harmless", harmless}};
}

}  // namespace ration::tool
