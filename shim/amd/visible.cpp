#include "shim/amd/visible.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "shim/host/device_list.h"

namespace ration::amd {
namespace {

constexpr std::size_t kShortestUuid = 5;

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 'a' - 'A');
    }
    return result;
}

std::string trimmed(const std::string& text) {
    constexpr const char* kSpace = " \t\n\v\f\r";
    const std::size_t begin = text.find_first_not_of(kSpace);
    if (begin == std::string::npos) return "";
    return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    while (begin <= text.size()) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

// nullopt: none, or several.
std::optional<std::size_t> by_uuid(const std::string& entry, const std::vector<Gpu>& gpus) {
    if (entry.size() < kShortestUuid) return std::nullopt;
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < gpus.size(); ++i) {
        if (!lower(gpus[i].uuid).starts_with(entry)) continue;
        if (found) return std::nullopt;
        found = i;
    }
    return found;
}

std::optional<std::size_t> rocr_entry(const std::string& text, const std::vector<Gpu>& gpus) {
    const std::string entry = lower(trimmed(text));
    if (entry.starts_with('g')) return by_uuid(entry, gpus);
    char* end = nullptr;
    const auto number = static_cast<std::int32_t>(strtol(entry.c_str(), &end, 0));
    if (entry.empty() || *end != '\0') return std::nullopt;
    for (std::size_t i = 0; i < gpus.size(); ++i) {
        if (number >= 0 && gpus[i].index == static_cast<unsigned>(number)) return i;
    }
    return std::nullopt;
}

std::optional<std::size_t> hip_entry(const std::string& entry, const Visible& rocr,
                                     const std::vector<Gpu>& gpus) {
    for (std::size_t i = 0; i < rocr.gpus.size(); ++i) {
        const std::string& uuid = gpus[rocr.gpus[i]].uuid;
        if (entry == std::to_string(i) || (!uuid.empty() && entry == uuid)) return rocr.gpus[i];
    }
    return std::nullopt;
}

bool holds(const Visible& visible, std::size_t gpu) {
    return std::count(visible.gpus.begin(), visible.gpus.end(), gpu) > 0;
}

}  // namespace

Visible read_rocr_list(const std::optional<std::string>& value, const std::vector<Gpu>& gpus) {
    Visible visible;
    visible.restricted = value.has_value();
    if (!value) {
        visible.gpus.resize(gpus.size());
        for (std::size_t i = 0; i < gpus.size(); ++i) visible.gpus[gpus[i].index] = i;
        return visible;
    }
    for (const std::string& entry : split(*value)) {
        const auto gpu = rocr_entry(entry, gpus);
        if (!gpu || holds(visible, *gpu)) break;
        visible.gpus.push_back(*gpu);
    }
    return visible;
}

Visible read_hip_list(const std::optional<std::string>& value, const Visible& rocr,
                      const std::vector<Gpu>& gpus) {
    if (!value || value->empty()) return {false, rocr.gpus};
    Visible visible;
    visible.restricted = true;
    for (const std::string& entry : split(*value)) {
        const auto gpu = hip_entry(entry, rocr, gpus);
        if (!gpu) break;
        if (!holds(visible, *gpu)) visible.gpus.push_back(*gpu);
    }
    return visible;
}

std::optional<std::string> given_value(const char* name, const policy::Environment& environment) {
    return host::given_list(environment(name), environment(std::string("RATION_GIVEN_") + name),
                            environment(std::string("RATION_NARROWED_") + name));
}

std::optional<HipList> given_hip_list(const policy::Environment& environment) {
    for (const char* name : {kHipVariable, kHipOtherVariable}) {
        const auto value = given_value(name, environment);
        if (value && !value->empty()) return HipList{name, *value};
    }
    return std::nullopt;
}

Visible given_devices(const policy::Environment& environment, const std::vector<Gpu>& gpus) {
    Visible visible = read_rocr_list(given_value(kVisibleVariable, environment), gpus);
    if (const auto hip = given_hip_list(environment)) {
        visible = read_hip_list(hip->value, visible, gpus);
    }
    return visible;
}

std::string describe_lists(const policy::Environment& environment) {
    const auto rocr = given_value(kVisibleVariable, environment);
    const auto hip = given_hip_list(environment);
    if (!hip) return host::describe_list(kVisibleVariable, rocr);
    const std::string text = hip->variable + "=" + hip->value;
    return rocr ? host::describe_list(kVisibleVariable, rocr) + ", " + text : text;
}

std::string rocr_name(const Gpu& gpu, const std::vector<Gpu>& gpus) {
    const auto same = std::count_if(gpus.begin(), gpus.end(),
                                    [&](const Gpu& other) { return other.uuid == gpu.uuid; });
    return gpu.uuid.empty() || same > 1 ? std::to_string(gpu.index) : gpu.uuid;
}

}  // namespace ration::amd
