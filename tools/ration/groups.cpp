#include "tools/ration/groups.h"

#include <dlfcn.h>
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/ration/share_options.h"

namespace ration::tool {
namespace {

using policy::SmGranularity;

cuda::green::Calls calls_of(void* library) {
    cuda::green::Calls calls;
#define CALL(symbol) \
    calls.symbol = reinterpret_cast<decltype(calls.symbol)>(dlsym(library, #symbol));
#include "shim/cuda/green/calls.def"
#undef CALL
    return calls;
}

Json describe(const cuda::Or<cuda::green::Layout>& read, SmGranularity granularity) {
    Json result{{"granularity", granularity_name(granularity)},
                {"sizes", Json::array()},
                {"rest", nullptr},
                {"problem", nullptr}};
    if (const cuda::Refusal* refusal = cuda::refusal_of(read)) {
        result["problem"] = refusal->line;
        return result;
    }
    const auto& layout = std::get<cuda::green::Layout>(read);
    for (const CUdevResource& group : layout.groups) {
        result["sizes"].push_back(group.sm.smCount);
    }
    result["rest"] = layout.rest;
    return result;
}

}  // namespace

const char* granularity_name(SmGranularity granularity) {
    return granularity == SmGranularity::kFine ? "fine" : "group";
}

Json describe_groups(void* library, int device, const std::string& uuid) {
    const cuda::green::Calls calls = calls_of(library);
    Json list = Json::array();
    for (const auto granularity : {SmGranularity::kGroup, SmGranularity::kFine}) {
        list.push_back(
            describe(cuda::green::read_layout(calls, device, uuid, granularity), granularity));
    }
    return list;
}

std::optional<cuda::green::Layout> layout_of(const Json& device, SmGranularity granularity) {
    const auto groups = device.find("groups");
    if (groups == device.end()) {
        return std::nullopt;
    }
    for (const Json& each : *groups) {
        if (each["granularity"] != granularity_name(granularity) || each["sizes"].empty()) {
            continue;
        }
        cuda::green::Layout layout;
        layout.uuid = device.value("uuid", std::string());
        layout.total = device.value("sms", 0U);
        layout.rest = each["rest"].get<unsigned>();
        layout.flags = granularity == SmGranularity::kFine
                           ? CU_DEV_SM_RESOURCE_SPLIT_IGNORE_SM_COSCHEDULING
                           : 0;
        for (const Json& size : each["sizes"]) {
            layout.groups.emplace_back().sm.smCount = size.get<unsigned>();
        }
        return layout;
    }
    return std::nullopt;
}

std::vector<state::Holder> holders_of(const std::string& uuid) {
    std::string why;
    return state::holders(state::lock_place(own_environment("RATION_RUNTIME_DIR"), false), uuid,
                          why);
}

Json to_json(const std::vector<state::Holder>& holders) {
    Json list = Json::array();
    for (const state::Holder& holder : holders) {
        list.push_back({{"pid", holder.pid > 0 ? Json(holder.pid) : Json()},
                        {"groups", state::to_text(holder.groups)},
                        {"exclusive", holder.exclusive},
                        {"whole", holder.whole},
                        {"percentage", holder.percentage},
                        {"text", state::to_text(holder)}});
    }
    return list;
}

std::string groups_text(const Json& groups) {
    std::string text;
    for (const Json& each : groups) {
        const bool fine = each["granularity"] == "fine";
        if (each["sizes"].empty()) {
            return each["problem"].get<std::string>();
        }
        const auto size = each["sizes"].front().get<unsigned>();
        const auto rest = each["rest"].get<unsigned>();
        text += fmt::format("{}{} of {} SMs", fine ? "; fine: " : "", each["sizes"].size(), size);
        text += rest == 0 ? "" : fmt::format(", {} SMs in none", rest);
    }
    return text;
}

}  // namespace ration::tool
