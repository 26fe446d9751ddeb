#include "tests/sim/driver/visible.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "tests/sim/node/text.h"

namespace sim {
namespace {

using Found = std::optional<VisibleDevice>;

VisibleDevice whole_or_first(const Node& node, std::size_t gpu) {
    if (node.gpus[gpu].mig_mode()) return {gpu, 0};
    return {gpu, std::nullopt};
}

// The one device whose UUID begins with `text`; none if several do, or if `text` is "GPU-" or
// "MIG-" alone.
template <typename Visit>
Found only_match(Visit&& each, const std::string& text) {
    Found found;
    int matches = 0;
    each([&](const std::string& uuid, VisibleDevice device) {
        if (starts_with(uuid, text)) {
            found = device;
            ++matches;
        }
    });
    return matches == 1 && text.size() > 4 ? found : std::nullopt;
}

Found by_gpu_uuid(const Node& node, const std::string& text) {
    return only_match(
        [&](auto&& visit) {
            for (std::size_t g = 0; g < node.gpus.size(); ++g) {
                visit(node.gpus[g].uuid, whole_or_first(node, g));
            }
        },
        text);
}

// Both the instance's own UUID and the older "MIG-GPU-<UUID>/<gpu instance>/<compute instance>".
Found by_mig_uuid(const Node& node, const std::string& text) {
    const bool older = starts_with(text, "MIG-GPU-");
    return only_match(
        [&](auto&& visit) {
            for (std::size_t g = 0; g < node.gpus.size(); ++g) {
                const Gpu& gpu = node.gpus[g];
                for (std::size_t i = 0; i < gpu.instances.size(); ++i) {
                    const MigInstance& instance = gpu.instances[i];
                    visit(older ? "MIG-" + gpu.uuid + "/" + std::to_string(instance.gpu_instance) +
                                      "/" + std::to_string(instance.compute_instance)
                                : instance.uuid,
                          VisibleDevice{g, i});
                }
            }
        },
        text);
}

Found by_index(const Node& node, const std::string& text) {
    char* end = nullptr;
    errno = 0;
    const long index = std::strtol(text.c_str(), &end, 0);
    if (end == text.c_str() || errno != 0) return std::nullopt;  // what follows is ignored
    if (index < 0 || static_cast<std::size_t>(index) >= node.gpus.size()) return std::nullopt;
    return whole_or_first(node, cuda_order(node)[static_cast<std::size_t>(index)]);
}

Found find(const Node& node, const std::string& text) {
    if (starts_with(text, "GPU-")) return by_gpu_uuid(node, text);
    if (starts_with(text, "MIG-")) return by_mig_uuid(node, text);
    return by_index(node, text);
}

CUresult listed(const Node& node, const char* list, std::vector<VisibleDevice>& devices) {
    for (const std::string& item : split(list, ',')) {
        const Found found = find(node, trim(item));
        if (!found) break;  // the list ends at the first item that names nothing
        if (std::find(devices.begin(), devices.end(), *found) != devices.end()) {
            return CUDA_ERROR_INVALID_DEVICE;
        }
        devices.push_back(*found);
    }
    return CUDA_SUCCESS;
}

}  // namespace

CUresult visible_devices(const Node& node, const char* list, std::vector<VisibleDevice>& devices) {
    devices.clear();
    if (list != nullptr) {
        const CUresult result = listed(node, list, devices);
        if (result != CUDA_SUCCESS) return result;
    } else {
        for (const std::size_t gpu : cuda_order(node)) devices.push_back(whole_or_first(node, gpu));
    }
    constexpr int kSeveralMigSince = 12080;  // R570
    if (kDriverVersion < kSeveralMigSince) {
        const auto mig = std::find_if(devices.begin(), devices.end(), [](const VisibleDevice& d) {
            return d.instance.has_value();
        });
        if (mig != devices.end()) devices.erase(mig + 1, devices.end());
    }
    return devices.empty() ? CUDA_ERROR_NO_DEVICE : CUDA_SUCCESS;
}

}  // namespace sim
