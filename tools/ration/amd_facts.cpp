#include "tools/ration/amd_facts.h"

#include <fmt/core.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "shim/amd/mask_variables.h"
#include "shim/amd/plan.h"
#include "shim/amd/visible.h"
#include "tools/ration/runtime.h"
#include "tools/ration/share_options.h"

namespace ration::tool {
namespace {

constexpr const char* kDeviceFile = "/dev/kfd";

std::string line(const std::string& label, const std::string& text) {
    return fmt::format("{:<12}{}\n", label, printable(text));
}

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

// "304 CUs, 8 XCCs of 4 shader engines"
std::string shape_text(const Json& gpu) {
    const unsigned xccs = gpu["xccs"];
    const unsigned engines = gpu["engines"].get<unsigned>() / xccs;
    std::string text = fmt::format("{} CUs, ", gpu["cus"].get<unsigned>());
    if (xccs > 1) {
        text += fmt::format("{} XCCs of ", xccs);
    }
    text += fmt::format("{} shader engines", engines);
    text += gpu["pairs"] ? ", CUs in pairs" : "";
    // Then a share may be spread a little less evenly than it looks.
    return gpu["arrays_known"] ? text : text + ", which CUs are switched off is not told";
}

Json first_line(const std::string& file) {
    std::ifstream in(file);
    std::string text;
    return std::getline(in, text) ? Json(text) : Json();
}

// The variables that choose devices and CUs, as far as they are set.
Json variables() {
    Json list = Json::array();
    for (const char* name : {amd::kVisibleVariable, amd::kHipVariable, amd::kOpenClVariable,
                             amd::kHsaMaskVariable, amd::kHipMaskVariable}) {
        if (const auto value = own_environment(name)) {
            list.push_back({{"name", name}, {"value", *value}});
        }
    }
    return list;
}

// What the masks in the environment do to a process of which a policy asks nothing.
void report_variables(const std::vector<amd::Gpu>& gpus, Findings& findings) {
    const auto plan = amd::make_plan({}, nullptr, {own_environment, [&] { return gpus; }});
    if (const amd::Refusal* refusal = amd::refusal_of(plan)) {
        findings.push_back({true, refusal->line});
        return;
    }
    for (const std::string& note : std::get<amd::Plan>(plan).notes) {
        findings.push_back({false, note});
    }
}

}  // namespace

std::string text_of(const Json& value) { return value.is_null() ? "-" : value.get<std::string>(); }

Json gpu_json(const amd::Gpu& gpu) {
    return {{"index", gpu.place},
            {"kfd_node", gpu.node},
            {"rocr_index", gpu.index},
            {"name", gpu.name},
            {"gfx", amd::gfx_name(gpu.gfx)},
            {"uuid", or_null(gpu.uuid)},
            {"pci", gpu.pci},
            {"partition", gpu.partition},
            {"cus", gpu.cus},
            {"xccs", gpu.xccs},
            {"engines", gpu.engines},
            {"arrays_per_engine", gpu.arrays_per_engine},
            {"array_cus", gpu.array_cus},
            {"arrays_known", gpu.arrays_known},
            {"pairs", gpu.pairs},
            {"memory", gpu.vram}};
}

Json amd_facts(Findings& findings) {
    const std::vector<amd::Gpu> gpus = amd::read_topology();
    Json list = Json::array();
    for (const amd::Gpu& gpu : gpus) {
        list.push_back(gpu_json(gpu));
    }
    const bool there = access(kDeviceFile, F_OK) == 0;
    const bool accessible = access(kDeviceFile, R_OK | W_OK) == 0;
    if (!gpus.empty() && !accessible) {
        findings.push_back(
            {true, fmt::format("{} may not be opened by you, so there is no AMD GPU for your "
                               "programs: join the group that owns it, usually render",
                               kDeviceFile)});
    }
    report_variables(gpus, findings);
    return {{"driver_module", first_line("/sys/module/amdgpu/version")},
            {"device", there ? Json(kDeviceFile) : Json()},
            {"accessible", accessible},
            {"gpus", list},
            {"variables", variables()}};
}

std::string amd_facts_text(const Json& facts) {
    std::string text;
    for (const Json& gpu : facts["gpus"]) {
        text +=
            line("amd gpu", fmt::format("{}: {} ({}), {}, {}, {}, {}", gpu["index"].get<unsigned>(),
                                        text_of(gpu["name"]), text_of(gpu["gfx"]),
                                        text_of(gpu["uuid"]), text_of(gpu["pci"]), shape_text(gpu),
                                        size_text(gpu["memory"].get<std::uint64_t>())));
    }
    for (const Json& variable : facts["variables"]) {
        text += line("  variable", text_of(variable["name"]) + "=" + text_of(variable["value"]));
    }
    return text;
}

}  // namespace ration::tool
