#include "shim/cuda/plan.h"

#include <algorithm>

#include "shim/cuda/choose.h"
#include "shim/cuda/devices.h"
#include "shim/cuda/grant.h"
#include "shim/cuda/memory_limit.h"
#include "shim/cuda/share.h"
#include "shim/cuda/visible.h"
#include "shim/host/device_list.h"
#include "shim/policy/wording.h"

namespace ration::cuda {
namespace {

using policy::Partition;

constexpr const char* kPriorityVariable = "CUDA_MPS_CLIENT_PRIORITY";
constexpr const char* kOrderVariable = "CUDA_DEVICE_ORDER";
constexpr double kWhole = 100;  // percent

Refusal refuse(std::string line) { return {CUDA_ERROR_NOT_PERMITTED, std::move(line)}; }

// Builds one plan, step by step; the first step that refuses ends it.
class Planner {
  public:
    Planner(const Partition& partition, const policy::Pool* pool, const Surroundings& surroundings)
        : partition_(partition), pool_(pool), surroundings_(surroundings) {}

    Or<Plan> make() {
        plan_.asked = asked_text(partition_);
        for (const auto step :
             {&Planner::pass_over_amd, &Planner::choose_groups, &Planner::choose_daemon,
              &Planner::choose_instance, &Planner::choose_devices, &Planner::choose_percentage,
              &Planner::count_memory, &Planner::limit_memory, &Planner::lower_priority,
              &Planner::note_slots}) {
            if (auto refusal = (this->*step)()) return *refusal;
        }
        return plan_;
    }

  private:
    using Step = std::optional<Refusal>;

    std::optional<std::string> variable(const char* name) const {
        return surroundings_.environment(name);
    }

    Step pass_over_amd() {
        if (partition_.cu || partition_.cu_mask) {
            return refuse(std::string(partition_.cu ? "cu" : "cu_mask") +
                          " names CUs of AMD GPUs: for NVIDIA GPUs write sm = N, or share, which "
                          "serves both");
        }
        if (partition_.mechanism == policy::Mechanism::kCuMask) {
            return refuse(
                "the mechanism is one of AMD GPUs: for NVIDIA GPUs write \"mps\", or \"auto\", "
                "which serves both");
        }
        return std::nullopt;
    }

    // Groups of SMs, where nothing less keeps what is asked.
    Step choose_groups() {
        const Choice choice = choose_mechanism(partition_);
        if (choice.mechanism != policy::Mechanism::kGreen) return std::nullopt;
        plan_.applied = Applied::kGreen;
        plan_.green = green::green_plan(partition_);
        const std::vector<MpsPipe> pipes = surroundings_.pipes();
        plan_.green->served = use_daemon(pipes);
        if (!plan_.green->served) return refuse_without_daemon(choice, pipes);
        const auto percentage = variable(kPercentageVariable);
        if (driver_percentage(percentage) >= kWhole) return std::nullopt;
        return refuse(host::describe_list(kPercentageVariable, percentage) +
                      " is in the environment, and the driver divides no SMs of an MPS client "
                      "with a percentage: unset it, or ask for share or sm alone, of which "
                      "mechanism \"mps\" gives the smaller one");
    }

    Step refuse_without_daemon(const Choice& choice, const std::vector<MpsPipe>& pipes) const {
        if (!choice.needs_daemon) return std::nullopt;
        return Refusal{CUDA_ERROR_MPS_CONNECTION_FAILED,
                       choice.why + ": " +
                           no_daemon_line(pipes, "processes in groups of SMs take turns") +
                           ", or write mechanism = \"green\" to have it so"};
    }

    // Whether there is one: the first that is alive.
    bool use_daemon(const std::vector<MpsPipe>& pipes) {
        const auto alive = std::find_if(pipes.begin(), pipes.end(), [](const MpsPipe& pipe) {
            return pipe.state == PipeState::kAlive;
        });
        if (alive == pipes.end()) return false;
        if (variable(kMpsPipeVariable) != alive->directory) {
            plan_.temporary.push_back({kMpsPipeVariable, alive->directory});
        }
        return true;
    }

    // Before the devices, because it is the cheapest to find missing.
    Step choose_daemon() {
        const Choice choice = choose_mechanism(partition_);
        if (choice.mechanism != policy::Mechanism::kMps) return std::nullopt;
        const std::vector<MpsPipe> pipes = surroundings_.pipes();
        if (!use_daemon(pipes)) {
            if (!choice.needs_daemon) return std::nullopt;
            return Refusal{CUDA_ERROR_MPS_CONNECTION_FAILED,
                           no_daemon_line(pipes, "a share would be ignored")};
        }
        plan_.applied = Applied::kMps;
        return std::nullopt;
    }

    Step read_devices(const std::string& what_for) {
        if (inventory_) return std::nullopt;
        const auto list = variable(kVisibleVariable);
        const bool instances = partition_.mig || (list && list->find("MIG-") != std::string::npos);
        inventory_ = surroundings_.inventory(instances);
        if (inventory_->problem.empty()) return std::nullopt;
        return refuse(what_for + " needs a list of this node's GPUs, but " + inventory_->problem +
                      ": install the driver's NVML library");
    }

    Bounds bounds() const {
        return {host::given_list(variable(kVisibleVariable), variable(kGivenVariable),
                                 variable(kNarrowedVariable)),
                variable(kOrderVariable), partition_.override_visible};
    }

    void narrow_to(const std::string& list) {
        plan_.lasting = {{kVisibleVariable, list},
                         {kGivenVariable, bounds().given.value_or(host::kGivenAll)},
                         {kNarrowedVariable, list}};
    }

    Step choose_instance() {
        if (!partition_.mig) return std::nullopt;
        plan_.applied = Applied::kMig;
        if (partition_.memory || partition_.share || partition_.sm) {
            return refuse(
                partition_.name +
                " has mig and another size: a MIG instance already bounds SMs and memory; "
                "leave out share, sm and memory");
        }
        if (auto refusal = read_devices("mig")) return refusal;
        const auto found = select_instance(*partition_.mig, *inventory_, bounds());
        if (const Refusal* refusal = refusal_of(found)) return *refusal;
        const MigInstance& instance = inventory_->instances[std::get<std::size_t>(found)];
        narrow_to(instance.uuid);
        plan_.goals.push_back({instance.uuid, instance.sms, 0});
        return std::nullopt;
    }

    Step refuse_groups_of_instances() const {
        const auto list = variable(kVisibleVariable);
        if (!plan_.green || !partition_.devices.empty() || !list ||
            list->find("MIG-") == std::string::npos) {
            return std::nullopt;
        }
        return refuse(host::describe_list(kVisibleVariable, list) +
                      " names MIG instances, which bound their SMs themselves: name one by `mig`, "
                      "or leave the groups of SMs out");
    }

    void add_goal(std::size_t index) {
        const Device& device = inventory_->devices[index];
        plan_.goals.push_back({device.uuid, device.sms, 0});
    }

    Step choose_devices() {
        if (auto refusal = refuse_groups_of_instances()) return refusal;
        if (partition_.devices.empty()) return std::nullopt;
        if (auto refusal = read_devices("device")) return refusal;
        const auto found = select_devices(partition_.devices, *inventory_, bounds());
        if (const Refusal* refusal = refusal_of(found)) return *refusal;
        std::string list;
        for (const std::size_t index : std::get<std::vector<std::size_t>>(found)) {
            add_goal(index);
            list += (list.empty() ? "" : ",") + inventory_->devices[index].uuid;
        }
        narrow_to(list);
        return std::nullopt;
    }

    // The devices that the process sees as it is, and will see: which these are the driver is asked
    // afterwards. A MIG instance among them cannot be told `what_for`.
    Step know_devices(const std::string& what_for) {
        if (!plan_.goals.empty()) return std::nullopt;
        if (auto refusal = read_devices(what_for)) return refusal;
        const auto seen = variable(kVisibleVariable);
        if (auto unclear = unclear_order(*inventory_, {seen, variable(kOrderVariable)})) {
            return unclear;
        }
        for (const Target& target : read_visible(seen, *inventory_).targets) {
            if (target.kind == Target::Kind::kMig) {
                return refuse(what_for + ": the process was given MIG instances (" +
                              host::describe_list(kVisibleVariable, seen) +
                              "), which bound their SMs and memory " + "themselves: leave " +
                              what_for + " out");
            }
            add_goal(target.index);
        }
        plan_.bound_to_goals = true;
        return std::nullopt;
    }

    std::vector<std::string> uuids() const {
        std::vector<std::string> result;
        for (const Goal& goal : plan_.goals) result.push_back(goal.uuid);
        return result;
    }

    Step choose_percentage() {
        if (plan_.green) return std::nullopt;
        if (partition_.share) plan_.share = partition_.share;
        if (partition_.sm) {
            if (auto refusal = percentage_of_sms(*partition_.sm)) return refusal;
        }
        if (!plan_.share) return std::nullopt;
        const double already = driver_percentage(variable(kPercentageVariable));
        plan_.percent = std::min(*plan_.share, already);
        if (already < *plan_.share) {
            plan_.notes.push_back(
                host::describe_list(kPercentageVariable, variable(kPercentageVariable)) +
                " was in the environment and is the smaller share");
        } else {
            plan_.temporary.push_back({kPercentageVariable, percentage_text(*plan_.share)});
        }
        return std::nullopt;
    }

    Step percentage_of_sms(unsigned sms) {
        if (auto refusal = know_devices("sm")) return refusal;
        std::vector<unsigned> totals;
        for (const Goal& goal : plan_.goals) {
            if (goal.total == 0) {
                return refuse("sm = " + std::to_string(sms) + ": NVML does not tell how many SMs " +
                              goal.uuid + " has: ask for a share instead");
            }
            if (sms > goal.total) {
                return refuse("sm = " + std::to_string(sms) + ": " + goal.uuid + " has " +
                              std::to_string(goal.total) + " SMs");
            }
            totals.push_back(goal.total);
        }
        if (totals.empty()) return std::nullopt;
        plan_.share = percentage_for_sms(sms, totals);
        if (plan_.share) return std::nullopt;
        return refuse("sm = " + std::to_string(sms) +
                      ": MPS has one percentage for all devices of a process, and none gives this "
                      "count on devices of different sizes: name one device, or ask for a share");
    }

    // MPS limits its own clients, and each by itself.
    Step count_memory() {
        const bool by_mps =
            plan_.applied == Applied::kMps && partition_.scope == policy::Scope::kProcess;
        if (partition_.memory && !by_mps) {
            plan_.counted = {*partition_.memory, partition_.scope, partition_.name,
                             partition_.scope_cgroup, partition_.place};
        }
        return std::nullopt;
    }

    // Also where the policy asks for none: limits in the environment go by ordinal, and an entry
    // for a device that is no longer there makes the driver ignore all of them.
    Step limit_memory() {
        const auto existing = variable(kMemoryVariable);
        const bool moved = existing && !plan_.lasting.empty() && !partition_.mig;
        const bool asked = partition_.memory && !plan_.counted;
        if (!asked && !moved) return std::nullopt;
        if (auto refusal = know_devices("memory")) return refusal;
        if (auto refusal = unclear_ordinals(existing)) return refusal;
        MemoryLimits limits = inherited_limits(existing);
        if (asked) {
            for (const Goal& goal : plan_.goals) {
                if (auto refusal = limit_one(goal, limits)) return refusal;
            }
        }
        for (Goal& goal : plan_.goals) {
            const auto found = limits.find(goal.uuid);
            if (found != limits.end()) goal.memory = found->second;
        }
        // An empty value is as none: what was said of other devices must not meet these.
        if (moved || !limits.empty()) {
            plan_.temporary.push_back({kMemoryVariable, limits_text(limits)});
        }
        return std::nullopt;
    }

    // An ordinal counts among the visible devices: in the order of a list of UUIDs, else in the
    // driver's own.
    Step unclear_ordinals(const std::optional<std::string>& limits) const {
        const auto seen = variable(kVisibleVariable);
        if (!has_ordinals(limits) || (seen && !has_numbers(seen)) ||
            numbers_follow_pci(variable(kOrderVariable), *inventory_)) {
            return std::nullopt;
        }
        return refuse("which devices " + host::describe_list(kMemoryVariable, limits) +
                      " means is not clear, because this node's GPUs are of different models: set "
                      "CUDA_DEVICE_ORDER=PCI_BUS_ID, or write UUIDs");
    }

    // What the variable says of the devices that will be seen, read as for those that are seen now.
    MemoryLimits inherited_limits(const std::optional<std::string>& value) const {
        std::vector<std::string> now;
        for (const Target& target : read_visible(variable(kVisibleVariable), *inventory_).targets) {
            now.push_back(target.kind == Target::Kind::kGpu
                              ? inventory_->devices[target.index].uuid
                              : inventory_->instances[target.index].uuid);
        }
        MemoryLimits limits = read_limits(value, now);
        const std::vector<std::string> then = uuids();
        std::erase_if(limits, [&](const auto& limit) {
            return std::count(then.begin(), then.end(), limit.first) == 0;
        });
        return limits;
    }

    Step limit_one(const Goal& goal, MemoryLimits& limits) {
        const auto& devices = inventory_->devices;
        const auto device = std::find_if(devices.begin(), devices.end(),
                                         [&](const Device& one) { return one.uuid == goal.uuid; });
        const auto amount =
            mebibytes(*partition_.memory, device == devices.end() ? 0 : device->memory);
        if (!amount) {
            return refuse("memory: NVML does not tell how much memory " + goal.uuid +
                          " has: write the limit in GiB");
        }
        if (*amount == 0) return refuse(below_a_mebibyte(goal.uuid));
        limits = narrower(limits, {{goal.uuid, *amount}});
        return std::nullopt;
    }

    Step lower_priority() {
        if (!partition_.priority) return std::nullopt;
        if (plan_.green && !plan_.green->served) {
            plan_.notes.emplace_back("priority is one of MPS clients, and no daemon answers");
            return std::nullopt;
        }
        const std::string wanted = std::to_string(*partition_.priority);
        const auto existing = variable(kPriorityVariable);
        // 0 is normal, 1 below normal; what the program set lower already, stays.
        if (existing && *existing != "0" && wanted == "0") return std::nullopt;
        plan_.temporary.push_back({kPriorityVariable, wanted});
        return std::nullopt;
    }

    // A pool has devices for all its slots or for none.
    Step note_slots() {
        // Groups are rounded down: what adds up to a device fits it.
        if (pool_ == nullptr || pool_->oversubscribe || plan_.green) return std::nullopt;
        plan_.pool = pool_->name;
        for (const Partition& slot : pool_->slots) {
            SlotUse use{slot.share, slot.sm, {}};
            if (!slot.devices.empty() && inventory_) {
                Bounds anywhere = bounds();
                anywhere.override_visible = true;
                const auto found = select_devices(slot.devices, *inventory_, anywhere);
                // A slot whose devices are not there takes nothing; its own process is refused.
                if (refusal_of(found) != nullptr) continue;
                for (const std::size_t index : std::get<std::vector<std::size_t>>(found)) {
                    use.uuids.push_back(inventory_->devices[index].uuid);
                }
            }
            plan_.slots.push_back(std::move(use));
        }
        return std::nullopt;
    }

    const Partition& partition_;
    const policy::Pool* const pool_;
    const Surroundings& surroundings_;
    Plan plan_;
    std::optional<Inventory> inventory_;
};

}  // namespace

bool needs_mps(const Partition& partition) {
    const Choice choice = choose_mechanism(partition);
    return choice.mechanism == policy::Mechanism::kMps && choice.needs_daemon;
}

Or<Plan> make_plan(const Partition& partition, const policy::Pool* pool,
                   const Surroundings& surroundings) {
    return Planner(partition, pool, surroundings).make();
}

}  // namespace ration::cuda
