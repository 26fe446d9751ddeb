#include <gmock/gmock.h>

#include "shim/cuda/plan.h"
#include "tests/unit/cuda_inventory.h"

namespace ration::cuda {
namespace {

using policy::DeviceSelector;
using policy::Partition;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A process with an environment, on a node with a daemon at /pipe.
class PlanTest : public testing::Test {
  protected:
    Or<Plan> make(const policy::Pool* pool = nullptr) {
        const Surroundings surroundings = {
            [this](const std::string& name) -> std::optional<std::string> {
                const auto found = environment_.find(name);
                if (found == environment_.end()) return std::nullopt;
                return found->second;
            },
            [this](bool) {
                ++inventories_;
                return inventory_;
            },
            [this] { return pipes_; }};
        return make_plan(partition_, pool, surroundings);
    }

    Plan plan() {
        const auto result = make();
        const Refusal* refusal = refusal_of(result);
        EXPECT_EQ(refusal, nullptr) << refusal->line;
        return refusal == nullptr ? std::get<Plan>(result) : Plan{};
    }

    Refusal refusal() {
        const auto result = make();
        const Refusal* found = refusal_of(result);
        return found == nullptr ? Refusal{CUDA_SUCCESS, "not refused"} : *found;
    }

    static std::string value(const host::Edits& edits, const std::string& name) {
        for (const host::Edit& edit : edits) {
            if (edit.name == name) return edit.value;
        }
        return "unset";
    }

    void choose(unsigned index) {
        partition_.devices.push_back({DeviceSelector::Kind::kIndex, index, std::to_string(index)});
    }

    static policy::Memory bytes(std::uint64_t amount) { return {amount}; }

    Partition partition_;
    std::map<std::string, std::string> environment_;
    Inventory inventory_ = inventory_of(4);
    std::vector<MpsPipe> pipes_ = {{"/pipe", PipeOrigin::kPrivate, PipeState::kAlive, 0, 0, 0}};
    int inventories_ = 0;
};

TEST_F(PlanTest, AShareIsAPercentageAndCostsNoInventory) {
    partition_.share = 25;
    const Plan made = plan();
    EXPECT_EQ(made.applied, Applied::kMps);
    EXPECT_EQ(made.asked, "25 %");
    EXPECT_EQ(value(made.temporary, "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"), "25");
    EXPECT_EQ(value(made.temporary, "CUDA_MPS_PIPE_DIRECTORY"), "/pipe");
    EXPECT_THAT(made.lasting, IsEmpty());
    EXPECT_EQ(inventories_, 0);
}

TEST_F(PlanTest, WithoutADaemonNothingElseIsLookedAt) {
    partition_.share = 25;
    choose(9);
    pipes_[0].state = PipeState::kDead;
    pipes_.push_back({"/tmp/nvidia-mps", PipeOrigin::kDefault, PipeState::kAbsent, 0, 0, 0});
    const Refusal refused = refusal();
    EXPECT_EQ(refused.code, CUDA_ERROR_MPS_CONNECTION_FAILED);
    EXPECT_THAT(refused.line,
                AllOf(HasSubstr("/pipe (dead)"), HasSubstr("/tmp/nvidia-mps (absent)"),
                      HasSubstr("`ration mps ensure`")));
    EXPECT_EQ(inventories_, 0);
}

TEST_F(PlanTest, WhatTheEnvironmentHoldsStaysInOneLine) {
    partition_.share = 25;
    environment_["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] = "10\nration: fine";
    EXPECT_THAT(plan().notes, ElementsAre(HasSubstr("=10\\x0aration: fine was in")));
    pipes_[0] = {"/a\nb", PipeOrigin::kEnvironment, PipeState::kAbsent, 0, 0, 0};
    EXPECT_THAT(refusal().line, HasSubstr("/a\\x0ab (absent)"));
}

TEST_F(PlanTest, ATooLongPipeDirectoryIsExplained) {
    partition_.share = 25;
    pipes_[0].state = PipeState::kTooLong;
    EXPECT_THAT(refusal().line, AllOf(HasSubstr("too long"), HasSubstr("88 characters")));
}

TEST_F(PlanTest, TheDaemonThatTheProgramHasAlreadyIsNotSetAgain) {
    partition_.share = 25;
    environment_["CUDA_MPS_PIPE_DIRECTORY"] = "/pipe";
    EXPECT_EQ(value(plan().temporary, "CUDA_MPS_PIPE_DIRECTORY"), "unset");
}

TEST_F(PlanTest, AShareInTheEnvironmentIsNarrowedAndNeverWidened) {
    partition_.share = 25;
    environment_["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] = "50";
    EXPECT_EQ(value(plan().temporary, "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"), "25");
    environment_["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] = "10%";
    const Plan made = plan();
    EXPECT_EQ(value(made.temporary, "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"), "unset");
    EXPECT_EQ(made.percent, 10);
    EXPECT_THAT(made.notes, ElementsAre(HasSubstr("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE=10%")));
    environment_["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] = "0";  // the driver takes it for 100
    EXPECT_EQ(value(plan().temporary, "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"), "25");
}

TEST_F(PlanTest, DevicesBecomeUuidsAndTheGivenListIsKept) {
    choose(2);
    choose(0);
    environment_["CUDA_VISIBLE_DEVICES"] = "0,1,2";
    const Plan made = plan();
    const std::string list = uuid(2) + "," + uuid(0);
    EXPECT_EQ(made.applied, Applied::kNone);
    EXPECT_EQ(value(made.lasting, "CUDA_VISIBLE_DEVICES"), list);
    EXPECT_EQ(value(made.lasting, "RATION_GIVEN_CUDA_VISIBLE_DEVICES"), "0,1,2");
    EXPECT_EQ(value(made.lasting, "RATION_NARROWED_CUDA_VISIBLE_DEVICES"), list);
    EXPECT_THAT(made.temporary, IsEmpty()) << "devices alone need no daemon";
    EXPECT_EQ(made.goals.at(0).uuid, uuid(2));
    EXPECT_EQ(made.goals.at(1).total, 132U);
}

TEST_F(PlanTest, WithoutAListAllWasGiven) {
    choose(2);
    EXPECT_EQ(value(plan().lasting, "RATION_GIVEN_CUDA_VISIBLE_DEVICES"), "all");
}

TEST_F(PlanTest, AChildResolvesAgainstWhatItsParentWasGiven) {
    choose(3);
    environment_["CUDA_VISIBLE_DEVICES"] = uuid(1);
    EXPECT_THAT(refusal().line, HasSubstr("is not among the devices"));
    environment_["RATION_NARROWED_CUDA_VISIBLE_DEVICES"] = uuid(1);
    environment_["RATION_GIVEN_CUDA_VISIBLE_DEVICES"] = "1,3";
    const Plan made = plan();
    EXPECT_EQ(value(made.lasting, "CUDA_VISIBLE_DEVICES"), uuid(3));
    EXPECT_EQ(value(made.lasting, "RATION_GIVEN_CUDA_VISIBLE_DEVICES"), "1,3");
}

TEST_F(PlanTest, SmsBecomeAPercentage) {
    partition_.sm = 32;
    const Plan made = plan();
    EXPECT_EQ(made.asked, "32 SMs");
    EXPECT_EQ(value(made.temporary, "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"), "25");
}

TEST_F(PlanTest, RefusesSmsThatNoPercentageGives) {
    partition_.sm = 200;
    EXPECT_THAT(refusal().line, AllOf(HasSubstr("sm = 200"), HasSubstr("132")));
    partition_.sm = 32;
    inventory_.devices[1].sms = 108;
    EXPECT_THAT(refusal().line, HasSubstr("one percentage for all devices"));
    inventory_.devices[1].sms = 0;
    EXPECT_THAT(refusal().line, HasSubstr("NVML does not tell"));
}

TEST_F(PlanTest, MemoryHasOneKeyForEachDeviceThatWillBeSeen) {
    partition_.memory = bytes(2ULL << 30);
    environment_["CUDA_VISIBLE_DEVICES"] = "1,3";
    EXPECT_EQ(value(plan().temporary, "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"),
              uuid(1) + "=2048M," + uuid(3) + "=2048M");
    choose(3);
    const Plan made = plan();
    EXPECT_EQ(value(made.temporary, "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"), uuid(3) + "=2048M");
    EXPECT_EQ(made.goals.at(0).memory, 2048U);
}

TEST_F(PlanTest, MemoryMayBeAShareOfEachDevice) {
    partition_.memory = policy::Memory{25.0};
    environment_["CUDA_VISIBLE_DEVICES"] = "0";
    EXPECT_EQ(value(plan().temporary, "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"), uuid(0) + "=20480M");
}

// The driver puts the fastest first: its device 0 need not be ours.
TEST_F(PlanTest, RefusesNumbersWhereTheDriversOrderIsUnknown) {
    inventory_.devices[0].name = "NVIDIA L4";
    environment_["CUDA_VISIBLE_DEVICES"] = "0";
    partition_.memory = bytes(2ULL << 30);
    EXPECT_THAT(refusal().line, AllOf(HasSubstr("CUDA_VISIBLE_DEVICES=0 means is not clear"),
                                      HasSubstr("CUDA_DEVICE_ORDER=PCI_BUS_ID")));
    partition_.memory.reset();
    partition_.sm = 16;
    EXPECT_THAT(refusal().line, HasSubstr("is not clear"));
    environment_["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID";
    EXPECT_TRUE(plan().bound_to_goals);
    environment_.erase("CUDA_DEVICE_ORDER");
    environment_["CUDA_VISIBLE_DEVICES"] = uuid(0);
    EXPECT_EQ(plan().goals.at(0).uuid, uuid(0));
}

TEST_F(PlanTest, RefusesOrdinalLimitsWhereTheDriversOrderIsUnknown) {
    inventory_.devices[0].name = "NVIDIA L4";
    partition_.memory = bytes(10ULL << 30);
    environment_["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] = "0=1G";
    EXPECT_THAT(refusal().line, HasSubstr("CUDA_MPS_PINNED_DEVICE_MEM_LIMIT=0=1G means"));
    environment_["CUDA_VISIBLE_DEVICES"] = uuid(3) + "," + uuid(0);
    EXPECT_EQ(value(plan().temporary, "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"),
              uuid(0) + "=10240M," + uuid(3) + "=1024M");
    environment_.erase("CUDA_VISIBLE_DEVICES");
    environment_["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] = uuid(0) + "=1G";
    EXPECT_EQ(plan().goals.at(0).memory, 1024U);
    environment_["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] = "0=1G";
    environment_["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID";
    EXPECT_EQ(plan().goals.at(0).memory, 1024U);
}

TEST_F(PlanTest, RefusesSmsOfInstances) {
    partition_.sm = 16;
    inventory_ = inventory_with_mig();
    environment_["CUDA_VISIBLE_DEVICES"] = "MIG-1111";
    EXPECT_THAT(refusal().line, HasSubstr("leave sm out"));
}

TEST_F(PlanTest, ADeviceThatCannotBeOpenedIsNoneOfTheProcesss) {
    inventory_.devices[0] = {};
    partition_.memory = bytes(2ULL << 30);
    environment_["CUDA_VISIBLE_DEVICES"] = "0";
    EXPECT_EQ(value(plan().temporary, "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"), uuid(1) + "=2048M");
    environment_.clear();
    EXPECT_EQ(plan().goals.size(), 3U);
    choose(0);
    EXPECT_THAT(refusal().line, HasSubstr("device 0 of this node cannot be opened"));
    partition_.devices.clear();
    choose(9);
    EXPECT_THAT(refusal().line, HasSubstr("0 = cannot be opened, 1 = " + uuid(1)));
}

TEST_F(PlanTest, TheSmallerMemoryLimitWins) {
    partition_.memory = bytes(2ULL << 30);
    environment_["CUDA_VISIBLE_DEVICES"] = "1,0";
    environment_["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] = "0=1G,1=4G";
    EXPECT_EQ(value(plan().temporary, "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"),
              uuid(0) + "=2048M," + uuid(1) + "=1024M");
}

TEST_F(PlanTest, LimitsInTheEnvironmentFollowTheirDevicesWhenTheseAreNarrowed) {
    choose(1);
    environment_["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] = "0=1G,1=4G,2=1G,3=1G";
    EXPECT_EQ(value(plan().temporary, "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"), uuid(1) + "=4096M");
}

TEST_F(PlanTest, LimitsOfOtherDevicesDoNotMeetThoseThatAreChosen) {
    choose(1);
    environment_["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] = "0=1G";
    EXPECT_EQ(value(plan().temporary, "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"), "");
    environment_.clear();
    EXPECT_EQ(value(plan().temporary, "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"), "unset");
}

TEST_F(PlanTest, RefusesMemoryBelowOneMebibyteAndOnInstances) {
    partition_.memory = bytes(1000);
    EXPECT_THAT(refusal().line, HasSubstr("below 1 MiB"));
    partition_.memory = bytes(2ULL << 30);
    inventory_ = inventory_with_mig();
    environment_["CUDA_VISIBLE_DEVICES"] = "MIG-1111";
    EXPECT_THAT(refusal().line, HasSubstr("leave memory out"));
}

TEST_F(PlanTest, PriorityIsLoweredAndNeverRaised) {
    partition_.priority = 1;
    EXPECT_EQ(value(plan().temporary, "CUDA_MPS_CLIENT_PRIORITY"), "1");
    partition_.priority = 0;
    environment_["CUDA_MPS_CLIENT_PRIORITY"] = "1";
    EXPECT_EQ(value(plan().temporary, "CUDA_MPS_CLIENT_PRIORITY"), "unset");
}

TEST_F(PlanTest, AMigInstanceIsTheOnlyDevice) {
    inventory_ = inventory_with_mig();
    partition_.mig = "MIG-2222";
    pipes_.clear();
    const Plan made = plan();
    EXPECT_EQ(made.applied, Applied::kMig);
    EXPECT_EQ(value(made.lasting, "CUDA_VISIBLE_DEVICES"), inventory_.instances[1].uuid);
    EXPECT_THAT(made.temporary, IsEmpty());
    EXPECT_EQ(made.goals.at(0).total, 16U);
}

TEST_F(PlanTest, RefusesMigBesideAnotherSize) {
    inventory_ = inventory_with_mig();
    partition_.mig = "MIG-2222";
    partition_.memory = bytes(1ULL << 30);
    EXPECT_THAT(refusal().line, HasSubstr("already bounds SMs and memory"));
}

TEST_F(PlanTest, SaysWhyThereIsNoInventory) {
    choose(0);
    inventory_ = {{}, {}, "libnvidia-ml.so.1 cannot be loaded"};
    EXPECT_THAT(refusal().line, AllOf(HasSubstr("libnvidia-ml.so.1"), HasSubstr("device needs")));
}

TEST_F(PlanTest, NotesWhatTheOtherSlotsTake) {
    policy::Pool pool;
    pool.name = "pool.p";
    pool.slots.resize(3);
    for (unsigned i = 0; i < 3; ++i) {
        pool.slots[i].share = 30;
        pool.slots[i].devices = {{DeviceSelector::Kind::kIndex, i, ""}};
    }
    pool.slots[2].devices[0].index = 9;  // not there: takes nothing
    partition_ = pool.slots[1];
    const auto result = make(&pool);
    const Plan& made = std::get<Plan>(result);
    ASSERT_EQ(made.slots.size(), 2U);
    EXPECT_THAT(made.slots[0].uuids, ElementsAre(uuid(0)));
    pool.oversubscribe = true;
    EXPECT_THAT(std::get<Plan>(make(&pool)).slots, IsEmpty());
}

TEST_F(PlanTest, WhatIsOfAmdIsRefusedWithWhatToWriteInstead) {
    partition_.cu = 26;
    EXPECT_EQ(
        refusal().line,
        "cu names CUs of AMD GPUs: for NVIDIA GPUs write sm = N, or share, which serves both");
    partition_.cu.reset();
    partition_.cu_mask = policy::EngineMasks{{0, 1}};
    EXPECT_THAT(refusal().line, HasSubstr("cu_mask names CUs"));
    partition_.cu_mask.reset();
    partition_.share = 25;
    partition_.mechanism = policy::Mechanism::kCuMask;
    EXPECT_THAT(refusal().line, HasSubstr("write \"mps\", or \"auto\""));
}

TEST_F(PlanTest, GroupsAreTakenWhereAPercentageWillNotDo) {
    partition_.share = 25;
    partition_.exclusive = true;
    const Plan made = plan();
    EXPECT_EQ(made.applied, Applied::kGreen);
    ASSERT_TRUE(made.green.has_value());
    EXPECT_TRUE(made.green->served) << "a daemon answers";
    EXPECT_TRUE(made.green->exclusive);
    ASSERT_EQ(made.green->wishes.size(), 1U);
    EXPECT_EQ(made.green->wishes[0].share, 25);
    EXPECT_FALSE(made.percent.has_value()) << "the driver would not divide then";
    EXPECT_EQ(made.asked, "25 %");
}

TEST_F(PlanTest, GroupsNeedADaemonUnlessTheyAreNamed) {
    partition_.share = 25;
    partition_.exclusive = true;
    pipes_.clear();
    const std::string line = refusal().line;
    EXPECT_THAT(line, HasSubstr("exclusive hands out groups of SMs"));
    EXPECT_THAT(line, HasSubstr("`ration mps ensure`"));
    EXPECT_THAT(line, HasSubstr("mechanism = \"green\""));
    partition_.mechanism = policy::Mechanism::kGreen;
    const Plan made = plan();
    EXPECT_EQ(made.applied, Applied::kGreen);
    EXPECT_FALSE(made.green->served);
}

TEST_F(PlanTest, APercentageInTheEnvironmentLeavesNoGroups) {
    partition_.mechanism = policy::Mechanism::kGreen;
    partition_.share = 25;
    environment_["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] = "50";
    const std::string line = refusal().line;
    EXPECT_THAT(line, HasSubstr("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE=50"));
    EXPECT_THAT(line, HasSubstr("unset it"));
    environment_["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] = "100";
    EXPECT_EQ(plan().applied, Applied::kGreen);
    pipes_.clear();
    environment_["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] = "50";
    EXPECT_EQ(plan().applied, Applied::kGreen) << "without a daemon it says nothing";
}

TEST_F(PlanTest, InstancesHaveNoGroups) {
    partition_.mechanism = policy::Mechanism::kGreen;
    partition_.share = 25;
    environment_["CUDA_VISIBLE_DEVICES"] = "MIG-e5000000";
    EXPECT_THAT(refusal().line, HasSubstr("name one by `mig`"));
}

TEST_F(PlanTest, EachDeviceMayHaveAShareOfItsOwn) {
    partition_.device_share = {25, 50};
    const Plan made = plan();
    ASSERT_EQ(made.applied, Applied::kGreen);
    ASSERT_EQ(made.green->wishes.size(), 2U);
    EXPECT_EQ(made.green->wishes[1].share, 50);
    EXPECT_EQ(made.asked, "25 %, 50 % by device");
    partition_.device_share.clear();
    partition_.sm_groups = {0, 1, 2, 7};
    EXPECT_EQ(plan().asked, "groups 0-2,7");
}

TEST_F(PlanTest, MemoryIsTheDriversAsLongAsADaemonKeepsItForThisProcessAlone) {
    partition_.memory = bytes(2ULL << 30);
    EXPECT_EQ(plan().applied, Applied::kMps);
    EXPECT_FALSE(plan().counted);
    partition_.share = 25;
    EXPECT_FALSE(plan().counted);
    EXPECT_TRUE(needs_mps(partition_)) << "for the share";
}

TEST_F(PlanTest, MemoryAloneIsCountedWhereNoDaemonAnswers) {
    partition_.memory = bytes(2ULL << 30);
    partition_.name = "partition.p";
    pipes_.clear();
    EXPECT_FALSE(needs_mps(partition_));
    const Plan made = plan();
    EXPECT_EQ(made.applied, Applied::kNone);
    ASSERT_TRUE(made.counted);
    EXPECT_EQ(std::get<std::uint64_t>(made.counted->memory.amount), 2ULL << 30);
    EXPECT_EQ(made.counted->scope, policy::Scope::kProcess);
    EXPECT_THAT(made.temporary, IsEmpty()) << "the driver is told nothing";
    EXPECT_EQ(inventories_, 0) << "the driver tells what its devices have";
    partition_.share = 25;
    EXPECT_EQ(refusal().code, CUDA_ERROR_MPS_CONNECTION_FAILED) << "the share needs one";
}

TEST_F(PlanTest, MemoryThatProcessesShareIsCounted) {
    partition_.memory = policy::Memory{25.0};
    partition_.scope = policy::Scope::kUser;
    partition_.name = "partition.p";
    const Plan made = plan();
    EXPECT_EQ(made.applied, Applied::kNone) << "a daemon or not";
    ASSERT_TRUE(made.counted);
    EXPECT_EQ(made.counted->scope, policy::Scope::kUser);
    EXPECT_EQ(made.counted->slot, "partition.p");
    partition_.scope_cgroup = "/job_7";
    EXPECT_EQ(plan().counted->cgroup, "/job_7");
    EXPECT_THAT(made.temporary, IsEmpty());
    partition_.mechanism = policy::Mechanism::kMps;
    EXPECT_EQ(plan().applied, Applied::kMps);
    EXPECT_TRUE(plan().counted);
    EXPECT_EQ(value(plan().temporary, "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"), "unset");
}

}  // namespace
}  // namespace ration::cuda
