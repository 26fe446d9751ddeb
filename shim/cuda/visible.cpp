#include "shim/cuda/visible.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace ration::cuda {
namespace {

std::string_view without_blanks(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> parts;
    while (true) {
        const std::size_t comma = text.find(',');
        parts.push_back(without_blanks(text.substr(0, comma)));
        if (comma == std::string_view::npos) return parts;
        text.remove_prefix(comma + 1);
    }
}

// Base 0: "0x1" is 1 and "010" is 8. One that is too large is as no device.
std::optional<std::size_t> number_of(std::string_view entry) {
    const std::string text(entry);
    char* end = nullptr;
    const long number = strtol(text.c_str(), &end, 0);
    if (end == text.c_str() || number < 0) return std::nullopt;
    return static_cast<std::size_t>(number);
}

// "MIG-GPU-<UUID>/<instance>/..." is the notation before driver 470; which instance it means cannot
// be told from an inventory, so it counts as its GPU.
std::string_view gpu_of_old_notation(std::string_view entry) {
    if (!entry.starts_with("MIG-GPU-")) return entry;
    return entry.substr(4, entry.find('/') - 4);
}

// The indices of those that the driver has, in PCI order.
std::vector<std::size_t> reachable(const Inventory& inventory) {
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < inventory.devices.size(); ++i) {
        if (!inventory.devices[i].uuid.empty()) indices.push_back(i);
    }
    return indices;
}

// The one of that beginning: what fits several names none of them (CUDA C++ Programming Guide,
// "CUDA Environment Variables": enough digits to tell it apart), and "GPU-" alone names none
// either.
template <class Things>
std::optional<std::size_t> by_beginning(const Things& things, std::string_view uuid) {
    const auto fits = [&](const auto& thing) { return thing.uuid.starts_with(uuid); };
    const auto found = std::find_if(things.begin(), things.end(), fits);
    const bool only = std::count_if(things.begin(), things.end(), fits) == 1;
    if (!only || uuid.size() <= std::string_view("GPU-").size()) return std::nullopt;
    return static_cast<std::size_t>(found - things.begin());
}

std::optional<Target> target_of(std::string_view entry, const Inventory& inventory) {
    if (const auto number = number_of(entry)) {
        const std::vector<std::size_t> indices = reachable(inventory);
        if (*number >= indices.size()) return std::nullopt;
        return Target{Target::Kind::kGpu, indices[*number]};
    }
    entry = gpu_of_old_notation(entry);
    if (entry.starts_with("GPU-")) {
        if (const auto index = by_beginning(inventory.devices, entry)) {
            return Target{Target::Kind::kGpu, *index};
        }
    } else if (entry.starts_with("MIG-")) {
        if (const auto index = by_beginning(inventory.instances, entry)) {
            return Target{Target::Kind::kMig, *index};
        }
    }
    return std::nullopt;
}

}  // namespace

Visible read_visible(const std::optional<std::string>& value, const Inventory& inventory) {
    Visible visible;
    if (!value) {
        for (const std::size_t index : reachable(inventory)) {
            visible.targets.push_back({Target::Kind::kGpu, index});
        }
        return visible;
    }
    visible.restricted = true;
    for (const std::string_view entry : split(*value)) {
        const auto target = target_of(entry, inventory);
        if (!target) break;
        visible.repeated |= std::count(visible.targets.begin(), visible.targets.end(), *target) > 0;
        visible.targets.push_back(*target);
    }
    return visible;
}

bool numbers_follow_pci(const std::optional<std::string>& device_order,
                        const Inventory& inventory) {
    if (device_order == "PCI_BUS_ID") return true;
    const std::vector<std::size_t> indices = reachable(inventory);
    return std::all_of(indices.begin(), indices.end(), [&](std::size_t index) {
        return inventory.devices[index].name == inventory.devices[indices.front()].name;
    });
}

bool has_numbers(const std::optional<std::string>& value) {
    if (!value) return false;
    const auto entries = split(*value);
    return std::any_of(entries.begin(), entries.end(),
                       [](std::string_view entry) { return number_of(entry).has_value(); });
}

}  // namespace ration::cuda
