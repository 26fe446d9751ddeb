// ration doctor: can programs be confined here, and if not, why.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/ration/amd_facts.h"
#include "tools/ration/command.h"
#include "tools/ration/driver_probe.h"
#include "tools/ration/failure.h"
#include "tools/ration/groups.h"
#include "tools/ration/node_facts.h"
#include "tools/ration/output.h"
#include "tools/ration/runtime.h"

namespace ration::tool {
namespace {

struct Options {
    std::string binary;
    std::string driver;
    unsigned timeout = 30;  // seconds
    bool probe = false;     // we are the child that asks the driver
};

// A string field, or `otherwise` where it is null or empty.
std::string field(const Json& object, const char* key, const char* otherwise = "-") {
    const auto found = object.find(key);
    return found == object.end() || !found->is_string() || found->get<std::string>().empty()
               ? otherwise
               : found->get<std::string>();
}

std::string joined(const Json& list, const char* otherwise = "none") {
    std::string text;
    for (const Json& entry : list) {
        text += (text.empty() ? "" : ", ") + entry.get<std::string>();
    }
    return text.empty() ? otherwise : text;
}

std::string line(const char* label, const std::string& text) {
    return fmt::format("{:<12}{}\n", label, printable(text));
}

std::string memory_text(const Json& object) {
    const auto memory = object.value("memory", std::uint64_t{0});
    return memory == 0 ? "memory unknown" : size_text(memory);
}

std::string sms_text(const Json& object) {
    const auto sms = object.value("sms", 0U);
    return sms == 0 ? "SMs unknown" : fmt::format("{} SMs", sms);
}

std::string driver_text(const Json& driver) {
    std::string text = line(
        "driver", field(driver, "library", "none") +
                      (driver["version"].is_null() ? "" : ", CUDA " + field(driver, "version")));
    for (const Json& device : driver["devices"]) {
        text += line("  visible", fmt::format("{}: {}, {}, {}, {}", device.value("index", 0),
                                              field(device, "name"), field(device, "uuid"),
                                              sms_text(device), memory_text(device)));
        text += device.contains("groups") ? line("  groups", groups_text(device["groups"])) : "";
        for (const state::Holder& holder : holders_of(field(device, "uuid"))) {
            text += line("  held", state::to_text(holder));
        }
    }
    return text;
}

std::string nvml_text(const Json& nvml) {
    std::string text;
    for (const Json& device : nvml["devices"]) {
        text += line("gpu",
                     fmt::format("{}: {}, {}, {}", device.value("index", 0), field(device, "name"),
                                 field(device, "uuid"), field(device, "pci")));
    }
    for (const Json& instance : nvml["mig_instances"]) {
        text += line("mig", fmt::format("{}: {}, {}, {}", instance.value("device", 0),
                                        field(instance, "uuid"), field(instance, "profile"),
                                        memory_text(instance)));
    }
    return text + (nvml["problem"].is_null() ? "" : line("nvml", field(nvml, "problem")));
}

std::string mps_text(const Json& mps) {
    std::string text = line("mps", "control program " + field(mps, "control_program", "none"));
    for (const Json& daemon : mps["daemons"]) {
        const std::string owner = daemon["user"].is_null() ? "" : ", user " + field(daemon, "user");
        text +=
            line("  daemon", fmt::format("{} ({}): {}{}", field(daemon, "pipe_directory"),
                                         field(daemon, "origin"), field(daemon, "state"), owner));
    }
    return text;
}

std::string node_text(const Json& facts) {
    const Json& policy = facts["policy"];
    std::string text = line("kernel", field(facts["kernel"], "kernel"));
    text += line("module", field(facts["kernel"], "driver_module", "no NVIDIA kernel module"));
    text +=
        line("nodes", joined(facts["kernel"]["device_nodes"], "no /dev/nvidia* and no /dev/kfd"));
    if (!facts["mps"].is_null()) {
        text += driver_text(facts["driver"]) + nvml_text(facts["nvml"]) + mps_text(facts["mps"]);
    }
    text += amd_facts_text(facts["amd"]);
    text += line("runtime", field(facts["runtime_directory"], "root", "none") + " (" +
                                field(facts["runtime_directory"], "kind") + ")");
    text += line("library", field(facts["library"], "path", "none"));
    const bool found = policy["kind"] == "policy";
    text += line("policy", found ? joined(policy["files"], field(policy, "origin").c_str())
                                 : field(policy, "kind"));
    return text;
}

std::string binary_text(const Json& binary) {
    std::string text = line("program", field(binary, "path"));
    for (const Json& interpreter : binary["interpreters"]) {
        text += line("  starts", interpreter.get<std::string>());
    }
    text += line("  loader", field(binary, "loader", "none"));
    text += line("  cuda", field(binary, "cuda"));
    text +=
        line("  reached", binary["reached"].get<bool>()
                              ? "yes, by LD_PRELOAD (dlmopen and RTLD_DEEPBIND, which would get "
                                "round it, cannot be seen in a file)"
                              : "no");
    return text;
}

std::string audit_text(const Json& audit) {
    std::string text = line("driver", field(audit, "file"));
    text += line("  exports", fmt::format("{} entry points", audit["exported"].get<unsigned>()));
    text += line("  hooked", joined(audit["hooked"]));
    text += line("  missing", joined(audit["missing"]) + " (not in this driver)");
    text += line("  unhooked", joined(audit["unhooked"]));
    text += line("  unknown", joined(audit["unknown"]));
    for (const Json& entry : audit["harmless"]) {
        text += line("  harmless", field(entry, "symbol") + ": " + field(entry, "why"));
    }
    return text;
}

// A node with AMD GPUs alone misses nothing of NVIDIA's.
bool has_nvidia(const Json& facts) {
    return !facts["kernel"]["driver_module"].is_null() || facts["nvml"]["problem"].is_null() ||
           !facts["driver"]["library"].is_null();
}

Json node_facts(const Options& options, Findings& findings) {
    Json facts{{"kernel", kernel_facts()},
               {"driver", probe_driver(std::chrono::seconds(options.timeout))},
               {"nvml", nvml_facts()},
               {"mps", nullptr},
               {"amd", amd_facts(findings)}};
    for (Json& device : facts["driver"]["devices"]) {
        device["held"] = to_json(holders_of(field(device, "uuid")));
    }
    if (facts["amd"]["gpus"].empty() || has_nvidia(facts)) {
        facts["mps"] = mps_facts(findings);
        if (!facts["driver"]["problem"].is_null()) {
            findings.push_back({true, field(facts["driver"], "problem")});
        }
    }
    facts["runtime_directory"] = to_json(runtime_directory(false));
    facts["library"] = library_facts(findings);
    facts["policy"] = policy_facts(findings);
    return facts;
}

// With BINARY or --driver only that is looked at: the question is about a file, not about this
// node.
Json gather(const Options& options, Findings& findings) {
    Json facts = Json::object();
    if (!options.binary.empty()) {
        facts["binary"] = binary_facts(options.binary, findings);
    }
    if (!options.driver.empty()) {
        facts["audit"] = audit_facts(options.driver, findings);
    }
    return facts.empty() ? node_facts(options, findings) : facts;
}

std::string text_of(const Json& facts) {
    std::string text;
    if (facts.contains("driver")) {
        text += node_text(facts);
    }
    if (facts.contains("binary")) {
        text += binary_text(facts["binary"]);
    }
    if (facts.contains("audit")) {
        text += audit_text(facts["audit"]);
    }
    return text;
}

int doctor(const Options& options, const Invocation& invocation) {
    if (options.probe) {
        return answer_driver_probe();
    }
    Findings findings;
    Json facts = gather(options, findings);
    bool healthy = true;
    Json list = Json::array();
    std::string lines;
    for (const Finding& finding : findings) {
        healthy = healthy && !finding.problem;
        list.push_back({{"problem", finding.problem}, {"text", finding.text}});
        lines +=
            finding.problem ? paint(Colour::kRed, "problem: ") : paint(Colour::kYellow, "note: ");
        lines += printable(finding.text) + "\n";
    }
    facts["findings"] = list;
    if (invocation.json) {
        print_json(facts);
    } else {
        print(text_of(facts) + lines + (healthy ? paint(Colour::kGreen, "ok") + "\n" : ""));
    }
    return healthy ? kOk : kFailed;
}

}  // namespace

Action add_doctor(CLI::App& app) {
    auto options = std::make_shared<Options>();
    app.add_option("BINARY", options->binary, "Program to look at: can LD_PRELOAD reach it?");
    app.add_option("--driver", options->driver,
                   "Driver library to audit: entry points that ration should hook and does not")
        ->type_name("FILE");
    app.add_option("--timeout", options->timeout, "How long the driver may take to answer (30)")
        ->type_name("SECONDS")
        ->check(CLI::Range(1, 3600));
    app.add_flag("--probe-driver", options->probe)->group("");  // not shown: our own child
    app.footer(
        "Without BINARY and --driver, looks at this node: driver, GPUs of both vendors, MIG "
        "instances, MPS daemons,\n"
        "runtime directory and policy. The driver is asked in a process of its own.\n"
        "\n"
        "Examples:\n"
        "  ration doctor\n"
        "  ration doctor ./solver\n"
        "  ration doctor --driver /usr/lib/x86_64-linux-gnu/libcuda.so.1\n"
        "\n"
        "Exit codes: 0 no problem, 1 problems, each with what to do.");
    return [options](const Invocation& invocation) { return doctor(*options, invocation); };
}

}  // namespace ration::tool
