#include "tools/ration/amd_explanation.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "shim/amd/drawing.h"
#include "shim/amd/grant.h"
#include "shim/amd/wording.h"
#include "shim/cuda/grant.h"
#include "tools/ration/amd_facts.h"
#include "tools/ration/records.h"

namespace ration::tool {
namespace {

std::string line(const std::string& label, const std::string& text) {
    return fmt::format("{:<12}{}\n", label, printable(text));
}

Json device_json(const amd::DeviceLimit& device) {
    Json result = gpu_json(device.gpu);
    result["granted"] = device.cus;
    result["text"] = amd::granted_text(device.cus, device.gpu);
    result["mask"] = device.mask.empty() ? Json() : Json(amd::hexadecimal(device.mask));
    result["drawing"] = amd::draw(device.mask, device.gpu);
    result["memory_quota"] = device.memory ? Json(*device.memory) : Json();
    return result;
}

state::Record record_of(const amd::Plan& plan) {
    state::Record record;
    amd::describe(plan, record);
    return record;
}

Json mechanism_json(const std::string& name) {
    const bool masks = name == "cu-mask";
    return {{"name", name},
            {"reason", masks ? "every compute queue gets a mask" : "no CUs are masked"}};
}

const amd::Gpu& gpu_at(const amd::Plan& plan, unsigned place) {
    return std::find_if(plan.devices.begin(), plan.devices.end(),
                        [&](const amd::DeviceLimit& device) { return device.gpu.place == place; })
        ->gpu;
}

// The modes in which the driver cuts a GPU into logical ones, by its XCCs.
struct Mode {
    unsigned xccs;
    unsigned parts;
    const char* name;
};
constexpr Mode kModes[] = {
    {8, 2, "DPX"}, {8, 4, "QPX"}, {8, 8, "CPX"}, {6, 3, "TPX"}, {6, 6, "CPX"}};

// The mode with the fewest logical GPUs that has one for each slot, none smaller than what a slot
// is granted now; empty: there is none.
std::string better_mode(const amd::PoolUse& use, const amd::Gpu& gpu) {
    const auto slots = static_cast<unsigned>(
        std::count_if(use.cus.begin(), use.cus.end(), [](unsigned cus) { return cus > 0; }));
    const unsigned most = *std::max_element(use.cus.begin(), use.cus.end());
    for (const Mode& mode : kModes) {
        const unsigned cus = gpu.cus / mode.parts;
        if (mode.xccs == gpu.xccs && mode.parts >= slots && cus >= most) {
            return fmt::format("; its partition mode {} would make {} GPUs of {} CUs of it",
                               mode.name, mode.parts, cus);
        }
    }
    return "";
}

}  // namespace

std::vector<std::string> pool_notes(const amd::Plan& plan) {
    std::vector<std::string> notes;
    for (const amd::PoolUse& use : plan.pool) {
        if (use.idle == 0) {
            continue;
        }
        const amd::Gpu& gpu = gpu_at(plan, use.place);
        notes.push_back(
            fmt::format("{} of {} CUs of GPU {} stay idle, because slots get whole rows{}",
                        use.idle, gpu.cus, use.place, better_mode(use, gpu)));
    }
    return notes;
}

Json amd_explanation(const engine::AmdRuling& ruling) {
    Json environment = Json::object();
    for (const host::Edit& edit : ruling.plan.lasting) {
        environment[edit.name] = edit.value;
    }
    Json devices = Json::array();
    for (const amd::DeviceLimit& device : ruling.plan.devices) {
        devices.push_back(device_json(device));
    }
    Json pool = Json::array();
    for (const amd::PoolUse& use : ruling.plan.pool) {
        pool.push_back({{"index", use.place}, {"slots", use.cus}, {"idle", use.idle}});
    }
    const bool confined = ruling.kind == engine::Verdict::Kind::kConfined;
    const state::Record record = record_of(ruling.plan);
    return {{"mechanism", confined ? mechanism_json(record.mechanism) : Json()},
            {"environment", environment},
            {"devices", devices},
            {"pool", pool},
            {"grant", confined ? grant_json(record, true) : Json()},
            {"refusals", ruling.lines}};
}

std::string amd_explanation_text(const Json& explanation) {
    if (explanation["grant"].is_null()) {
        return "";
    }
    const Json& mechanism = explanation["mechanism"];
    const bool masks = mechanism["name"] == "cu-mask";
    std::string text =
        line("mechanism", text_of(mechanism["name"]) + ": " + text_of(mechanism["reason"]));
    for (const auto& [name, value] : explanation["environment"].items()) {
        text += line("ROCm sees", name + "=" + text_of(value));
    }
    for (const Json& device : explanation["devices"]) {
        text += line("amd gpu", fmt::format("{}: {} ({}), {}", device["index"].get<unsigned>(),
                                            text_of(device["name"]), text_of(device["gfx"]),
                                            text_of(device["text"])));
        for (const Json& drawn : masks ? device["drawing"] : Json::array()) {
            text += line("", drawn.get<std::string>());
        }
    }
    for (const Json& use : explanation["pool"]) {
        std::string slots;
        for (const Json& cus : use["slots"]) {
            slots += (slots.empty() ? "" : ", ") + std::to_string(cus.get<unsigned>());
        }
        text += line(
            "pool", fmt::format("CUs of GPU {} by slot: {}; idle: {}", use["index"].get<unsigned>(),
                                slots, use["idle"].get<unsigned>()));
    }
    return text;
}

}  // namespace ration::tool
