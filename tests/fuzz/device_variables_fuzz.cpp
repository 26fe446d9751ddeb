// The variables of drivers and runtimes that say what a process may use.
#include <set>
#include <string>

#include "shim/amd/mask_variables.h"
#include "shim/amd/visible.h"
#include "shim/cuda/memory_limit.h"
#include "shim/cuda/visible.h"
#include "shim/host/device_list.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace ration;

cuda::Inventory two_gpus_and_an_instance() {
    cuda::Inventory inventory;
    inventory.devices = {{.uuid = "GPU-1a000000-0000-0000-0000-000000000000"},
                         {.uuid = "GPU-1b000000-0000-0000-0000-000000000000"}};
    inventory.instances = {{.uuid = "MIG-e5000000-0000-0000-0000-000000000000"}};
    return inventory;
}

// A GPU of two XCCs without pairs and one with pairs.
std::vector<amd::Gpu> amd_gpus() {
    amd::Gpu plain{.uuid = "GPU-00aa000000000001", .cus = 8, .engines = 2, .xccs = 2};
    plain.array_cus = {4, 4};
    amd::Gpu paired{.node = 2,
                    .index = 1,
                    .place = 1,
                    .uuid = "GPU-00bb000000000001",
                    .cus = 8,
                    .engines = 2,
                    .pairs = true};
    paired.array_cus = {4, 4};
    return {plain, paired};
}

void nvidia(const std::string& text) {
    static const cuda::Inventory inventory = two_gpus_and_an_instance();
    const auto visible = cuda::read_visible(text, inventory);
    require(visible.restricted, "a value restricts");
    for (const auto& target : visible.targets) {
        const bool gpu = target.kind == cuda::Target::Kind::kGpu;
        require(target.index < (gpu ? inventory.devices : std::vector<cuda::Device>(1)).size(),
                "a device that there is");
    }
    cuda::numbers_follow_pci(text, inventory);
    cuda::has_numbers(text);

    const std::vector<std::string> uuids{inventory.devices[0].uuid, inventory.devices[1].uuid};
    const auto limits = cuda::read_limits(text, uuids);
    require(cuda::read_limits(cuda::limits_text(limits), uuids) == limits,
            "limits stay as they are");
    require(cuda::narrower(limits, limits) == limits, "narrowed by itself");
}

void amd_lists(const std::string& text) {
    static const auto gpus = amd_gpus();
    const auto rocr = amd::read_rocr_list(text, gpus);
    require(rocr.restricted, "a value restricts");
    const auto hip = amd::read_hip_list(text, rocr, gpus);
    for (const auto* list : {&rocr, &hip}) {
        const std::set<std::size_t> once(list->gpus.begin(), list->gpus.end());
        require(once.size() == list->gpus.size() && (once.empty() || *once.rbegin() < gpus.size()),
                "GPUs that there are, each once");
    }
    const auto masks = amd::read_hsa_masks(text);
    for (const auto& gpu : gpus) {
        if (const auto mask = amd::hsa_mask_of(masks, gpu.index, gpu)) {
            require(amd::count_cus(*mask, gpu) <= gpu.cus, "CUs that there are");
        }
        if (const auto mask = amd::read_hip_mask(text, gpu)) {
            require(amd::count_cus(*mask, gpu) <= gpu.cus, "CUs that there are");
        }
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    nvidia(text);
    amd_lists(text);
    require(host::describe_list("NAME", text).find('\n') == std::string::npos, "one line");
    const std::string front = text.substr(0, size / 2);
    require(host::same_pci(front, text) == host::same_pci(text, front), "sameness has no order");
    return 0;
}
