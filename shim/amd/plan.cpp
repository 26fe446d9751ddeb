#include "shim/amd/plan.h"

#include <algorithm>

#include "shim/amd/devices.h"
#include "shim/amd/engine_masks.h"
#include "shim/amd/mask_variables.h"
#include "shim/amd/visible.h"
#include "shim/amd/wording.h"
#include "shim/host/device_list.h"

namespace ration::amd {
namespace {

using policy::Mechanism;
using policy::Partition;

constexpr std::uint64_t kMebibyte = 1ULL << 20U;
constexpr double kRoundingError = 1e-6;

Refusal refuse(std::string line) { return {std::move(line)}; }

// "share = 1 %", "cu = 3": for messages.
std::string size_text(const Partition& partition) {
    if (partition.share) return "share = " + percent_text(*partition.share);
    return "cu = " + std::to_string(partition.cu.value_or(0));
}

// CUs that a partition asks of a GPU, not rounded; 0: it asks for no number of them.
double asked_cus(const Partition& partition, const Gpu& gpu) {
    if (partition.share) return cus_of(*partition.share, gpu);
    return partition.cu.value_or(0);
}

// Builds one plan, step by step; the first step that refuses ends it.
class Planner {
  public:
    Planner(const Partition& partition, const policy::Pool* pool, const Surroundings& surroundings)
        : partition_(partition), pool_(pool), surroundings_(surroundings) {}

    Or<Plan> make() {
        plan_.asked = asked_text(partition_);
        plan_.share = partition_.share;
        for (const auto step :
             {&Planner::pass_over_nvidia, &Planner::choose_devices, &Planner::choose_cus,
              &Planner::respect_masks, &Planner::limit_memory, &Planner::provide_for_hidden}) {
            if (auto refusal = (this->*step)()) return *refusal;
        }
        return plan_;
    }

  private:
    using Step = std::optional<Refusal>;

    // What no mask of CUs keeps. `report` and `own_contexts` ask for nothing more here.
    const char* key_of_nvidia() const {
        if (!partition_.sm_groups.empty()) return "sm_groups";
        if (!partition_.device_share.empty()) return "device_share";
        if (partition_.exclusive) return "exclusive";
        if (partition_.granularity == policy::SmGranularity::kFine) return "granularity";
        return partition_.scope == policy::Scope::kProcess ? nullptr : "scope";
    }

    Step pass_over_nvidia() {
        if (partition_.sm) {
            return refuse(
                "sm counts the SMs of NVIDIA GPUs: for AMD GPUs write cu = N, or share, "
                "which serves both");
        }
        if (partition_.mig) {
            return refuse(
                "mig names a part of an NVIDIA GPU: for AMD GPUs write share, cu or "
                "cu_mask, or name a partition of the GPU by device");
        }
        if (partition_.mechanism == Mechanism::kMps || partition_.mechanism == Mechanism::kMig ||
            partition_.mechanism == Mechanism::kGreen) {
            return refuse(
                "the mechanism is one of NVIDIA GPUs: for AMD GPUs write \"cu-mask\", or "
                "\"auto\", which serves both");
        }
        if (const char* key = key_of_nvidia()) {
            return refuse(std::string(key) +
                          " is kept on NVIDIA GPUs only: for AMD GPUs leave it out, or name CUs "
                          "that no other process has by cu_mask");
        }
        if (partition_.priority) plan_.notes.emplace_back("priority has no effect on AMD GPUs");
        return std::nullopt;
    }

    Bounds bounds() const {
        return {given_devices(surroundings_.environment, gpus_),
                describe_lists(surroundings_.environment), partition_.override_visible};
    }

    Step choose_devices() {
        gpus_ = surroundings_.topology();
        if (partition_.devices.empty()) {
            const auto value = surroundings_.environment(kVisibleVariable);
            add_devices(read_rocr_list(value, gpus_).gpus);
            count_as_hip(hip_value());
            return std::nullopt;
        }
        const auto found = select_devices(partition_.devices, gpus_, bounds());
        if (const Refusal* refusal = refusal_of(found)) return *refusal;
        add_devices(std::get<std::vector<std::size_t>>(found));
        narrow();
        count_as_hip(std::nullopt);
        return std::nullopt;
    }

    // The list as HIP will read it, in a process whose devices are not narrowed here.
    std::optional<std::string> hip_value() const {
        const auto value = surroundings_.environment(kHipVariable);
        return value.value_or("").empty() ? surroundings_.environment(kHipOtherVariable) : value;
    }

    void count_as_hip(const std::optional<std::string>& value) {
        Visible rocr;
        for (const DeviceLimit& device : plan_.devices) rocr.gpus.push_back(device.gpu.place);
        for (const std::size_t place : read_hip_list(value, rocr, gpus_).gpus) {
            const auto found = std::find(rocr.gpus.begin(), rocr.gpus.end(), place);
            plan_.hip_devices.push_back(static_cast<std::size_t>(found - rocr.gpus.begin()));
        }
    }

    static DeviceLimit unlimited(const Gpu& gpu) { return {gpu, {}, gpu.cus, std::nullopt}; }

    void add_devices(const std::vector<std::size_t>& places) {
        for (const std::size_t place : places) plan_.devices.push_back(unlimited(gpus_[place]));
    }

    void narrow() {
        std::string uuids;
        std::string numbers;
        for (const DeviceLimit& device : plan_.devices) {
            const std::string comma = uuids.empty() ? "" : ",";
            uuids += comma + rocr_name(device.gpu, gpus_);
            numbers += comma + std::to_string(&device - plan_.devices.data());
        }
        narrow(kVisibleVariable, uuids);
        // These count within the list of ROCr: all of the new one.
        const policy::Environment& environment = surroundings_.environment;
        if (given_hip_list(environment)) narrow(kHipVariable, numbers);
        if (!given_value(kOpenClVariable, environment).value_or("").empty()) {
            narrow(kOpenClVariable, numbers);
        }
    }

    void narrow(const std::string& name, const std::string& list) {
        const auto given = given_value(name.c_str(), surroundings_.environment);
        plan_.lasting.push_back({name, list});
        plan_.lasting.push_back({"RATION_GIVEN_" + name, given.value_or(host::kGivenAll)});
        plan_.lasting.push_back({"RATION_NARROWED_" + name, list});
    }

    Step choose_cus() {
        for (DeviceLimit& device : plan_.devices) {
            if (auto refusal = choose_cus_of(device, &plan_.pool)) return refusal;
        }
        return std::nullopt;
    }

    Step choose_cus_of(DeviceLimit& device, std::vector<PoolUse>* uses) {
        Or<Part> part;
        if (partition_.cu_mask) {
            part = part_of(*partition_.cu_mask, device.gpu);
        } else if (partition_.share || partition_.cu) {
            part = part_by_number(device.gpu, uses);
        } else {
            return std::nullopt;
        }
        if (const Refusal* refusal = refusal_of(part)) return *refusal;
        device.mask = std::get<Part>(part).mask;
        device.cus = std::get<Part>(part).cus;
        return std::nullopt;
    }

    // Not by HSA_CU_MASK, which ROCr itself keeps, by the numbers of a list that nobody knows yet.
    Step provide_for_hidden() {
        if (!partition_.devices.empty()) return std::nullopt;
        for (const Gpu& gpu : gpus_) {
            const bool seen = std::any_of(
                plan_.devices.begin(), plan_.devices.end(),
                [&](const DeviceLimit& device) { return device.gpu.place == gpu.place; });
            if (seen) continue;
            DeviceLimit device = unlimited(gpu);
            if (choose_cus_of(device, nullptr) || limit_memory_of(device)) continue;
            plan_.hidden.push_back(std::move(device));
        }
        return std::nullopt;
    }

    Or<Part> part_by_number(const Gpu& gpu, std::vector<PoolUse>* uses) {
        const double cus = asked_cus(partition_, gpu);
        const unsigned least = least_cus(gpu);
        if (cus > gpu.cus) {
            return refuse(size_text(partition_) + ": " + describe(gpu) +
                          " has fewer: the most is cu = " + std::to_string(gpu.cus) +
                          ", a share of 100%");
        }
        if (cus + kRoundingError < least) {
            return refuse(size_text(partition_) + ": " + describe(gpu) + " can give no less than " +
                          std::to_string(least) + (least == 1 ? " CU" : " CUs") + " to a process" +
                          why_least(gpu) + ": the nearest share is \"" + share_text(least, gpu) +
                          "\" (cu = " + std::to_string(least) + ")");
        }
        const std::optional<std::size_t> slot = own_slot();
        return slot ? part_of_slot(*slot, gpu, uses)
                    : Or<Part>(lone(gpu, partition_.distribution, cus));
    }

    static std::string why_least(const Gpu& gpu) {
        if (gpu.xccs > 1) return ", at least one in each of its XCCs";
        return gpu.pairs ? ", as they come in pairs" : "";
    }

    std::optional<std::size_t> own_slot() const {
        if (pool_ == nullptr) return std::nullopt;
        for (std::size_t i = 0; i < pool_->slots.size(); ++i) {
            if (pool_->slots[i].name == partition_.name) return i;
        }
        return std::nullopt;
    }

    Or<Part> part_of_slot(std::size_t own, const Gpu& gpu, std::vector<PoolUse>* uses) {
        std::vector<double> asks;
        for (const Partition& slot : pool_->slots) {
            const double ask = is_on(slot, gpu) ? asked_cus(slot, gpu) : 0;
            // One that asks for too little or too much is refused by itself and takes nothing.
            const bool possible = ask + kRoundingError >= least_cus(gpu) && ask <= gpu.cus;
            asks.push_back(possible ? ask : 0);
            if (possible && slot.distribution != partition_.distribution) {
                return refuse("the slots of " + pool_->name + " on " + describe(gpu) +
                              " have different distributions: give all of them the same");
            }
        }
        auto division = divide(gpu, partition_.distribution, asks, pool_->oversubscribe);
        if (!division) {
            return refuse("the slots of " + pool_->name + " on " + describe(gpu) +
                          " ask for more CUs than it has: lower some, or set oversubscribe = true");
        }
        if (uses != nullptr) {
            PoolUse use{gpu.place, {}, division->idle};
            for (const Part& part : division->parts) use.cus.push_back(part.cus);
            uses->push_back(std::move(use));
        }
        return std::move(division->parts[own]);
    }

    // As the slot's own process will choose; wherever it may be, if it is the policy's own mistake.
    bool is_on(const Partition& slot, const Gpu& gpu) const {
        if (slot.devices.empty()) return true;
        Bounds anywhere = bounds();
        anywhere.override_visible = true;
        const auto found = select_devices(slot.devices, gpus_, anywhere);
        if (refusal_of(found) != nullptr) return false;
        const auto& places = std::get<std::vector<std::size_t>>(found);
        return std::count(places.begin(), places.end(), gpu.place) > 0;
    }

    // Masks that are in the environment hold beside ours.
    Step respect_masks() {
        const auto hsa = surroundings_.environment(kHsaMaskVariable);
        const auto hip = surroundings_.environment(kHipMaskVariable).value_or("");
        plan_.hip_masks = !hip.empty();
        const HsaMasks masks = read_hsa_masks(hsa.value_or(""));
        if (masks.mistake) {
            plan_.notes.push_back(std::string(kHsaMaskVariable) + "=" + *hsa +
                                  " has a mistake, and ROCr ignores what follows it");
        }
        for (DeviceLimit& device : plan_.devices) {
            const auto number = static_cast<unsigned>(&device - plan_.devices.data());
            if (const auto mask = hsa_mask_of(masks, number, device.gpu)) {
                if (auto refusal = keep_to_hsa(device, *mask, *hsa)) return refusal;
            }
            if (plan_.hip_masks) {
                if (auto refusal = note_hip(device, hip)) return refusal;
            }
        }
        return std::nullopt;
    }

    static Refusal nothing_left(const DeviceLimit& device, const std::string& setting) {
        return refuse(setting + " is in the environment and leaves no CU of this share on " +
                      describe(device.gpu) + ": unset it");
    }

    Step keep_to_hsa(DeviceLimit& device, const Mask& mask, const std::string& value) {
        const std::string setting = std::string(kHsaMaskVariable) + "=" + value;
        const Mask left = within(mask, device.mask, device.gpu);
        if (left.empty()) return nothing_left(device, setting);
        const unsigned before = device.cus;
        device.cus = count_cus(left, device.gpu);
        if (!device.mask.empty()) device.mask = left;
        if (device.cus < before) {
            plan_.notes.push_back(setting + " is in the environment and leaves " +
                                  std::to_string(device.cus) + " of " + std::to_string(before) +
                                  " CUs on " + describe(device.gpu));
        }
        return std::nullopt;
    }

    Step note_hip(DeviceLimit& device, const std::string& value) {
        const std::string setting = std::string(kHipMaskVariable) + "=" + value;
        const auto mask = read_hip_mask(value, device.gpu);
        if (!mask) {
            plan_.notes.push_back(setting +
                                  " is in the environment; HIP may use fewer CUs than "
                                  "granted, and counts CUs by it");
            return std::nullopt;
        }
        const Mask left = within(*mask, device.mask, device.gpu);
        if (left.empty()) return nothing_left(device, setting);
        const unsigned cus = count_cus(left, device.gpu);
        if (cus < device.cus) {
            plan_.notes.push_back(setting + " is in the environment and leaves " +
                                  std::to_string(cus) + " of " + std::to_string(device.cus) +
                                  " CUs to HIP's streams on " + describe(device.gpu));
        }
        device.hip_mask = left;
        const unsigned told = count_cus(*mask, device.gpu);
        if (told > cus) {
            plan_.notes.push_back(setting + " makes HIP tell programs of " + std::to_string(told) +
                                  " CUs instead of the " + std::to_string(cus) +
                                  " that its streams have on " + describe(device.gpu) +
                                  ": unset it where they launch cooperative kernels");
        }
        return std::nullopt;
    }

    Step limit_memory() {
        for (DeviceLimit& device : plan_.devices) {
            if (auto refusal = limit_memory_of(device)) return refusal;
        }
        return std::nullopt;
    }

    Step limit_memory_of(DeviceLimit& device) const {
        if (!partition_.memory) return std::nullopt;
        const auto& amount = partition_.memory->amount;
        const auto* percent = std::get_if<double>(&amount);
        if (percent != nullptr && device.gpu.vram == 0) {
            return refuse("memory: the kernel does not tell how much memory " +
                          describe(device.gpu) + " has: write the limit in GiB");
        }
        const auto bytes =
            percent == nullptr
                ? std::get<std::uint64_t>(amount)
                : static_cast<std::uint64_t>(*percent / 100 * static_cast<double>(device.gpu.vram));
        if (bytes < kMebibyte) {
            return refuse("memory: this part of " + describe(device.gpu) +
                          " is below 1 MiB: ask for 1 MiB or more");
        }
        device.memory = bytes / kMebibyte * kMebibyte;
        return std::nullopt;
    }

    const Partition& partition_;
    const policy::Pool* const pool_;
    const Surroundings& surroundings_;
    Plan plan_;
    std::vector<Gpu> gpus_;
};

}  // namespace

std::vector<DeviceLimit> Plan::limits() const {
    std::vector<DeviceLimit> all = devices;
    all.insert(all.end(), hidden.begin(), hidden.end());
    return all;
}

bool Plan::masks() const {
    const auto masked = [](const DeviceLimit& device) { return !device.mask.empty(); };
    return std::any_of(devices.begin(), devices.end(), masked) ||
           std::any_of(hidden.begin(), hidden.end(), masked);
}

std::string asked_text(const Partition& partition) {
    if (partition.share) return percent_text(*partition.share);
    if (partition.cu) return std::to_string(*partition.cu) + " CUs";
    if (partition.cu_mask) return "cu_mask = " + text_of(*partition.cu_mask);
    return "all CUs";
}

Or<Plan> make_plan(const Partition& partition, const policy::Pool* pool,
                   const Surroundings& surroundings) {
    return Planner(partition, pool, surroundings).make();
}

}  // namespace ration::amd
