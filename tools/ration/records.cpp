#include "tools/ration/records.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "shim/cuda/grant.h"
#include "tools/ration/runtime.h"

namespace ration::tool {

std::string state_text(const state::Listed& listed) {
    return std::string(state::name(listed.record.state)) + (listed.live ? "" : ", ended");
}

std::string short_devices(const std::string& devices) {
    std::string result;
    for (std::size_t begin = 0; begin < devices.size();) {
        const auto end = std::min(devices.find(',', begin), devices.size());
        const std::string device = devices.substr(begin, end - begin);
        // the kind and the first group of the UUID
        const auto dash = device.find('-', device.find('-') + 1);
        result += (result.empty() ? "" : ",") + device.substr(0, dash);
        begin = end + 1;
    }
    return result;
}

Json to_json(const state::Listed& listed) {
    const state::Record& record = listed.record;
    Json devices = Json::array();
    for (std::size_t begin = 0; begin < record.device.size();) {
        const auto end = std::min(record.device.find(',', begin), record.device.size());
        devices.push_back(record.device.substr(begin, end - begin));
        begin = end + 1;
    }
    return {{"pid", record.pid},
            {"live", listed.live},
            {"state", state::name(record.state)},
            {"uid", record.uid},
            {"user", user_name(record.uid)},
            {"command", record.command},
            {"started", utc_time(record.started)},
            {"start_ticks", record.start_ticks},
            {"rule", record.policy},
            {"partition", record.partition},
            {"mechanism", record.mechanism},
            {"devices", devices},
            {"asked", record.asked},
            {"granted", record.granted},
            {"memory_quota", record.memory_quota == 0 ? Json() : Json(record.memory_quota)},
            {"memory_counted", record.memory_counted},
            {"concurrent", record.concurrent},
            {"why", record.why}};
}

Json grant_json(const state::Record& record, bool predicted) {
    const Json listed = to_json(state::Listed{record, true});
    Json grant{{"predicted", predicted}, {"line", cuda::grant_line(record)}};
    for (const char* key : {"asked", "granted", "mechanism", "concurrent", "devices",
                            "memory_quota", "memory_counted"}) {
        grant[key] = listed[key];
    }
    return grant;
}

}  // namespace ration::tool
