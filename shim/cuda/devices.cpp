#include "shim/cuda/devices.h"

#include <algorithm>

#include "shim/host/device_list.h"

namespace ration::cuda {
namespace {

using host::describe;
using host::same_pci;
using policy::DeviceSelector;

Refusal refuse(std::string line) { return {CUDA_ERROR_INVALID_DEVICE, std::move(line)}; }

std::string list_devices(const Inventory& inventory) {
    std::string text;
    for (std::size_t i = 0; i < inventory.devices.size(); ++i) {
        const std::string& uuid = inventory.devices[i].uuid;
        text += (i == 0 ? "" : ", ") + std::to_string(i) + " = " +
                (uuid.empty() ? "cannot be opened" : uuid);
    }
    return text.empty() ? "none" : text;
}

std::string list_targets(const std::vector<Target>& targets, const Inventory& inventory) {
    std::string text;
    for (const Target& target : targets) {
        if (!text.empty()) text += ", ";
        text += target.kind == Target::Kind::kGpu ? inventory.devices[target.index].uuid
                                                  : inventory.instances[target.index].uuid;
    }
    return text.empty() ? "no device" : text;
}

std::string gibibytes(std::uint64_t bytes) {
    return std::to_string((bytes + (1ULL << 29)) >> 30) + " GiB";
}

std::string list_instances(const Inventory& inventory) {
    std::string text;
    for (const MigInstance& instance : inventory.instances) {
        if (!text.empty()) text += ", ";
        const std::string size =
            instance.profile.empty() ? gibibytes(instance.memory) : instance.profile;
        text +=
            instance.uuid + " (" + size + " on " + inventory.devices[instance.parent].uuid + ")";
    }
    return text.empty() ? "none: enable MIG and create instances with nvidia-smi mig" : text;
}

Or<std::size_t> by_uuid(const std::string& uuid, const Inventory& inventory) {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < inventory.devices.size(); ++i) {
        if (inventory.devices[i].uuid.starts_with(uuid)) found.push_back(i);
    }
    if (found.size() == 1) return found.front();
    const std::string what = found.empty() ? "no GPU of this node is " + uuid
                                           : uuid + " fits several GPUs: write more of the UUID";
    return refuse(what + "; there are: " + list_devices(inventory));
}

Or<std::size_t> by_visible(const DeviceSelector& selector, const Visible& visible,
                           const Inventory& inventory, const Bounds& bounds) {
    if (selector.index >= visible.targets.size()) {
        return refuse(describe(selector) + " is past the devices that this process was given (" +
                      host::describe_list(kVisibleVariable, bounds.given) + ": " +
                      list_targets(visible.targets, inventory) + "): they count from 0");
    }
    const Target target = visible.targets[selector.index];
    if (target.kind == Target::Kind::kMig) {
        return refuse(describe(selector) + " is a MIG instance (" +
                      inventory.instances[target.index].uuid + "): name it by `mig`");
    }
    return target.index;
}

Or<std::size_t> find(const DeviceSelector& selector, const Visible& visible,
                     const Inventory& inventory, const Bounds& bounds) {
    switch (selector.kind) {
        case DeviceSelector::Kind::kVisible:
            return by_visible(selector, visible, inventory, bounds);
        case DeviceSelector::Kind::kUuid:
            return by_uuid(selector.text, inventory);
        case DeviceSelector::Kind::kPci:
            for (std::size_t i = 0; i < inventory.devices.size(); ++i) {
                if (same_pci(inventory.devices[i].pci, selector.text)) return i;
            }
            break;
        case DeviceSelector::Kind::kIndex:
            if (selector.index < inventory.devices.size()) return std::size_t{selector.index};
            break;
    }
    return refuse("this node has no " + describe(selector) +
                  "; there are: " + list_devices(inventory));
}

std::string outside(const std::string& what, const Visible& visible, const Inventory& inventory,
                    const Bounds& bounds) {
    return what + " is not among the devices that this process was given (" +
           host::describe_list(kVisibleVariable, bounds.given) + ": " +
           list_targets(visible.targets, inventory) + ")";
}

}  // namespace

std::optional<Refusal> unclear_order(const Inventory& inventory, const Bounds& bounds) {
    if (!has_numbers(bounds.given) || numbers_follow_pci(bounds.order, inventory)) {
        return std::nullopt;
    }
    return refuse("which devices " + host::describe_list(kVisibleVariable, bounds.given) +
                  " means is not clear, because this node's GPUs are of different models: set "
                  "CUDA_DEVICE_ORDER=PCI_BUS_ID, or write UUIDs");
}

Or<std::vector<std::size_t>> select_devices(const std::vector<DeviceSelector>& selectors,
                                            const Inventory& inventory, const Bounds& bounds) {
    const Visible visible = read_visible(bounds.given, inventory);
    std::vector<std::size_t> chosen;
    for (const DeviceSelector& selector : selectors) {
        const bool relative = selector.kind == DeviceSelector::Kind::kVisible;
        if (relative || !bounds.override_visible) {
            if (const auto unclear = unclear_order(inventory, bounds)) return *unclear;
        }
        const auto found = find(selector, visible, inventory, bounds);
        if (const Refusal* refusal = refusal_of(found)) return *refusal;
        const std::size_t index = std::get<std::size_t>(found);
        const std::string& uuid = inventory.devices[index].uuid;
        if (uuid.empty()) {
            return refuse(describe(selector) +
                          " of this node cannot be opened by NVML: see whether this process may "
                          "use it, and what nvidia-smi says of it");
        }
        if (std::count(chosen.begin(), chosen.end(), index) > 0) {
            return refuse("the policy names " + uuid + " twice (the second time as " +
                          describe(selector) + "): name each device once");
        }
        const Target target{Target::Kind::kGpu, index};
        if (!bounds.override_visible &&
            std::count(visible.targets.begin(), visible.targets.end(), target) == 0) {
            return refuse(
                outside(describe(selector) + " (" + uuid + ")", visible, inventory, bounds) +
                ": choose one of these, or set override_visible = true in the policy");
        }
        chosen.push_back(index);
    }
    return chosen;
}

Or<std::size_t> select_instance(const std::string& uuid, const Inventory& inventory,
                                const Bounds& bounds) {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < inventory.instances.size(); ++i) {
        if (inventory.instances[i].uuid.starts_with(uuid)) found.push_back(i);
    }
    if (found.size() != 1) {
        const std::string what = found.empty()
                                     ? "this node has no MIG instance " + uuid
                                     : uuid + " fits several MIG instances: write more of it";
        return refuse(what + "; there are: " + list_instances(inventory));
    }
    if (bounds.override_visible) return found.front();
    if (const auto unclear = unclear_order(inventory, bounds)) return *unclear;
    const Visible visible = read_visible(bounds.given, inventory);
    const std::size_t parent = inventory.instances[found.front()].parent;
    for (const Target& target : visible.targets) {
        if (target == Target{Target::Kind::kMig, found.front()}) return found.front();
        if (target == Target{Target::Kind::kGpu, parent}) return found.front();
    }
    return refuse(outside(inventory.instances[found.front()].uuid, visible, inventory, bounds) +
                  ": choose one of these; there are: " + list_instances(inventory));
}

}  // namespace ration::cuda
