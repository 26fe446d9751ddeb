#include "shim/host/device_list.h"

#include <charconv>
#include <string_view>
#include <vector>

#include "shim/policy/wording.h"

namespace ration::host {

using policy::DeviceSelector;

namespace {

// The fields of "domain:bus:device.function", the last one first; -1: not an address.
std::vector<long> pci_fields(std::string_view text) {
    std::vector<long> fields;
    while (true) {
        const std::size_t mark = text.find_last_of(":.");
        const std::string_view part = text.substr(mark == std::string_view::npos ? 0 : mark + 1);
        long value = -1;
        const auto parsed = std::from_chars(part.data(), part.data() + part.size(), value, 16);
        if (parsed.ec != std::errc{} || parsed.ptr != part.data() + part.size()) return {-1};
        fields.push_back(value);
        if (mark == std::string_view::npos) return fields;
        text = text.substr(0, mark);
    }
}

}  // namespace

std::optional<std::string> given_list(const std::optional<std::string>& visible,
                                      const std::optional<std::string>& given,
                                      const std::optional<std::string>& narrowed) {
    if (!visible || !given || visible != narrowed) return visible;
    if (*given == kGivenAll) return std::nullopt;
    return given;
}

std::string describe_list(const char* variable, const std::optional<std::string>& value) {
    if (!value) return std::string(variable) + " is not set";
    constexpr std::size_t kLongest = 200;  // five UUIDs: a line stays one that is read
    return variable + ("=" + policy::one_line(*value, kLongest));
}

bool same_pci(const std::string& one, const std::string& other) {
    std::vector<long> a = pci_fields(one);
    std::vector<long> b = pci_fields(other);
    if (a.size() < 3 || b.size() < 3) return false;
    a.resize(4, 0);
    b.resize(4, 0);
    return a == b;
}

std::string describe(const DeviceSelector& selector) {
    switch (selector.kind) {
        case DeviceSelector::Kind::kIndex:
            return "device " + std::to_string(selector.index);
        case DeviceSelector::Kind::kVisible:
            return "visible:" + std::to_string(selector.index);
        case DeviceSelector::Kind::kPci:
            return "device at " + selector.text;
        case DeviceSelector::Kind::kUuid:
            break;
    }
    return selector.text;
}

}  // namespace ration::host
