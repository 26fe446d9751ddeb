#include "shim/amd/devices.h"

#include <algorithm>

#include "shim/host/device_list.h"

namespace ration::amd {
namespace {

using policy::DeviceSelector;

Refusal refuse(std::string line) { return {std::move(line), true}; }

std::string name_of(const Gpu& gpu) {
    const std::string partition =
        gpu.partition == 0 ? "" : " partition " + std::to_string(gpu.partition);
    return std::to_string(gpu.place) + " = " + (gpu.uuid.empty() ? gpu.pci : gpu.uuid) + partition;
}

std::string list(const std::vector<Gpu>& gpus) {
    std::string text;
    for (const Gpu& gpu : gpus) text += (text.empty() ? "" : ", ") + name_of(gpu);
    return text.empty() ? "none" : text;
}

std::string list(const Visible& visible, const std::vector<Gpu>& gpus) {
    std::string text;
    for (const std::size_t i : visible.gpus) text += (text.empty() ? "" : ", ") + name_of(gpus[i]);
    return text.empty() ? "no device" : text;
}

std::string given_text(const std::vector<Gpu>& gpus, const Bounds& bounds) {
    return "the devices that this process was given (" + bounds.lists + ": " +
           list(bounds.given, gpus) + ")";
}

// As the kernel writes UUIDs: digits in lower case behind "GPU-".
bool begins(const Gpu& gpu, const std::string& uuid) {
    if (uuid.size() > gpu.uuid.size()) return false;
    for (std::size_t i = 0; i < uuid.size(); ++i) {
        const char c = uuid[i];
        const bool upper = i >= 4 && c >= 'A' && c <= 'F';
        if (gpu.uuid[i] != (upper ? c + ('a' - 'A') : c)) return false;
    }
    return true;
}

bool fits(const DeviceSelector& selector, const Gpu& gpu) {
    switch (selector.kind) {
        case DeviceSelector::Kind::kUuid:
            return begins(gpu, selector.text);
        case DeviceSelector::Kind::kPci:
            return host::same_pci(gpu.pci, selector.text);
        case DeviceSelector::Kind::kIndex:
            return gpu.place == selector.index;
        case DeviceSelector::Kind::kVisible:
            break;
    }
    return false;
}

Or<std::size_t> find(const DeviceSelector& selector, const std::vector<Gpu>& gpus,
                     const Bounds& bounds) {
    if (selector.kind == DeviceSelector::Kind::kVisible) {
        if (selector.index < bounds.given.gpus.size()) return bounds.given.gpus[selector.index];
        return refuse(host::describe(selector) + " is past " + given_text(gpus, bounds) +
                      ": they count from 0");
    }
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < gpus.size(); ++i) {
        if (fits(selector, gpus[i])) found.push_back(i);
    }
    if (found.size() == 1) return found.front();
    const std::string what =
        found.empty() ? "this node has no AMD GPU that is " + host::describe(selector)
                      : host::describe(selector) + " fits several GPUs, name one by its number";
    return refuse(what + "; there are: " + list(gpus));
}

}  // namespace

Or<std::vector<std::size_t>> select_devices(const std::vector<DeviceSelector>& selectors,
                                            const std::vector<Gpu>& gpus, const Bounds& bounds) {
    const std::vector<std::size_t>& given = bounds.given.gpus;
    std::vector<std::size_t> chosen;
    for (const DeviceSelector& selector : selectors) {
        const auto found = find(selector, gpus, bounds);
        if (const Refusal* refusal = refusal_of(found)) return *refusal;
        const std::size_t gpu = std::get<std::size_t>(found);
        if (std::count(chosen.begin(), chosen.end(), gpu) > 0) {
            return refuse("the policy names " + describe(gpus[gpu]) +
                          " twice (the second time as " + host::describe(selector) +
                          "): name each device once");
        }
        if (!bounds.override_visible && std::count(given.begin(), given.end(), gpu) == 0) {
            return refuse(host::describe(selector) + " (" + name_of(gpus[gpu]) + ") is not among " +
                          given_text(gpus, bounds) +
                          ": choose one of these, or set override_visible = true in the policy");
        }
        chosen.push_back(gpu);
    }
    return chosen;
}

}  // namespace ration::amd
