#include "tests/sim/node/node.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "tests/sim/node/text.h"

namespace sim {
namespace {

// SMs of a MIG instance by its number of compute slices.
using MigSms = std::array<int, 8>;  // 0: no such profile
constexpr MigSms kHopper{0, 16, 32, 60, 64, 0, 0, 132};
constexpr MigSms kAmpere{0, 14, 28, 42, 56, 0, 0, 98};
constexpr MigSms kNoMig{};

struct Model {
    const char* key;
    const char* name;
    int sm_count;
    int cores_per_sm;
    std::uint64_t memory_mib;
    std::uint64_t nvml_memory_mib;
    int major, minor;
    unsigned pci_device_id;
    int speed;
    MigSms mig_sms;
};

// SM counts and memory: NVIDIA's data sheets and nvidia-smi's listings; the H100's were measured.
// clang-format off
constexpr Model kModels[] = {
    {"h100", "NVIDIA H100 80GB HBM3", 132, 128,  81079,  81559, 9, 0, 0x233010de, 4, kHopper},
    {"h200", "NVIDIA H200",           132, 128, 143771, 143771, 9, 0, 0x233510de, 4, kHopper},
    {"a100", "NVIDIA A100-SXM4-40GB", 108,  64,  40326,  40960, 8, 0, 0x20b010de, 3, kAmpere},
    {"l4",   "NVIDIA L4",              58, 128,  22731,  23034, 8, 9, 0x27b810de, 2, kNoMig},
};
// clang-format on

const Model* find_model(const std::string& key) {
    for (const Model& model : kModels) {
        if (key == model.key) return &model;
    }
    return nullptr;
}

int sms_of(const Model& model, int slices) {
    return model.mig_sms[static_cast<std::size_t>(slices)];
}

// Odd steps run through all 256 values of the first byte, so that every prefix of two digits is
// unique up to 256 devices, and one digit is for the first dozen.
std::string gpu_uuid(std::size_t index) {
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "GPU-%02x000000-5147-4000-8000-%012zx",
                  static_cast<unsigned>(0x1a + 0x11 * index) & 0xff, index);
    return text.data();
}

std::string mig_uuid(std::size_t gpu, std::size_t instance) {
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "MIG-%02x%02zx0000-6d69-5000-8000-%06zx%06zx",
                  static_cast<unsigned>(0xe5 - 0x1b * (instance + 7 * gpu)) & 0xff, gpu & 0xff, gpu,
                  instance);
    return text.data();
}

std::string add_instance(Gpu& gpu, const Model& model, std::size_t gpu_index,
                         const std::string& profile) {
    int slices = 0;
    int gigabytes = 0;
    int end = 0;
    if (std::sscanf(profile.c_str(), "%dg.%dgb%n", &slices, &gigabytes, &end) != 2 ||
        end != static_cast<int>(profile.size()) || slices < 1 || slices > 7 ||
        sms_of(model, slices) == 0) {
        return "no such MIG profile: " + profile;
    }
    const int slot =
        gpu.instances.empty() ? 0 : gpu.instances.back().slot + gpu.instances.back().slices;
    if (slot + slices > 7) return "more than 7 compute slices: " + profile;
    const auto index = gpu.instances.size();
    gpu.instances.push_back({profile, mig_uuid(gpu_index, index), slot, static_cast<int>(index) + 1,
                             0, slices, sms_of(model, slices),
                             static_cast<std::uint64_t>(gigabytes) * 1000 * kMiB});
    return "";
}

std::string add_gpu(Node& node, const std::string& description) {
    const std::vector<std::string> parts = split(description, '/');
    const Model* model = find_model(trim(parts[0]));
    if (model == nullptr) return "no such model: " + parts[0];
    const std::size_t index = node.gpus.size();
    Gpu gpu{model->name,
            gpu_uuid(index),
            model->sm_count,
            model->cores_per_sm,
            model->memory_mib * kMiB,
            model->nvml_memory_mib * kMiB,
            model->major,
            model->minor,
            static_cast<int>(0x10 + index),
            model->pci_device_id,
            model->mig_sms != kNoMig,
            model->speed,
            {}};
    for (std::size_t i = 1; i < parts.size(); ++i) {
        std::string error = add_instance(gpu, *model, index, trim(parts[i]));
        if (!error.empty()) return error;
    }
    node.gpus.push_back(std::move(gpu));
    return "";
}

}  // namespace

Node parse_node(const std::string& description) {
    Node node;
    if (trim(description) == "none") return node;
    for (const std::string& item : split(description, ',')) {
        node.error = add_gpu(node, item);
        if (!node.error.empty()) {
            node.error = "SIM_CUDA_GPUS: " + node.error;
            return node;
        }
    }
    return node;
}

Node read_node() {
    const char* description = std::getenv("SIM_CUDA_GPUS");
    return parse_node(description != nullptr ? description : "h100");
}

std::vector<std::size_t> cuda_order(const Node& node) {
    std::vector<std::size_t> order(node.gpus.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const char* wanted = std::getenv("CUDA_DEVICE_ORDER");
    if (wanted != nullptr && std::string(wanted) == "PCI_BUS_ID") return order;
    std::stable_sort(order.begin(), order.end(), [&node](std::size_t a, std::size_t b) {
        return node.gpus[a].speed > node.gpus[b].speed;
    });
    return order;
}

void uuid_bytes(const std::string& uuid, unsigned char bytes[16]) {
    std::size_t digits = 0;
    for (std::size_t i = 4; i < uuid.size() && digits < 32; ++i) {
        const char c = uuid[i];
        if (c == '-') continue;
        const auto value = static_cast<unsigned char>(c <= '9' ? c - '0' : c - 'a' + 10);
        unsigned char& byte = bytes[digits / 2];
        byte = static_cast<unsigned char>(digits % 2 == 0 ? value << 4 : byte | value);
        ++digits;
    }
}

}  // namespace sim
