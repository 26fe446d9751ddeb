#include <gmock/gmock.h>

#include "shim/cuda/visible.h"
#include "tests/unit/cuda_inventory.h"

namespace ration::cuda {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kGpu = Target::Kind::kGpu;
constexpr auto kMig = Target::Kind::kMig;

struct Case {
    const char* value;
    std::vector<std::size_t> gpus;
    bool repeated = false;
};

// The rows of a node with one GPU are what a real driver made of them (H100, 580.159.04).
TEST(Visible, ReadsAListAsTheDriverDoesOnANodeWithOneGpu) {
    const std::string full = uuid(0);
    const std::string twice = full + "," + full;
    const Case cases[] = {
        {"", {}},
        {"0", {0}},
        {"1", {}},
        {"-1", {}},
        {"0,1", {0}},
        {"1,0", {}},
        {"0,0", {0, 0}, true},
        {full.c_str(), {0}},
        {"GPU-aaaaaa", {0}},
        {"GPU-ffffffff", {}},
        {twice.c_str(), {0, 0}, true},
        {"MIG-1234", {}},
        {" 0", {0}},
        {"0 ", {0}},
        {"0x0", {0}},
        {"abc", {}},
        {"0,-1", {0}},
        {"gpu-aaaaaaaa", {}},
        {"aaaaaaaa-0000", {}},
        {"GPU-", {}},
        {"0abc", {0}},
        {"0;1", {0}},
        {"1abc", {}},
        {"010", {}},
    };
    for (const Case& one : cases) {
        const Visible visible = read_visible(one.value, inventory_of(1));
        std::vector<Target> expected;
        for (const std::size_t index : one.gpus) expected.push_back({kGpu, index});
        EXPECT_EQ(visible.targets, expected) << '"' << one.value << '"';
        EXPECT_EQ(visible.repeated, one.repeated) << '"' << one.value << '"';
        EXPECT_TRUE(visible.restricted);
    }
}

TEST(Visible, KeepsTheOrderOfTheList) {
    EXPECT_THAT(read_visible("2,0, 1", inventory_of(4)).targets,
                ElementsAre(Target{kGpu, 2}, Target{kGpu, 0}, Target{kGpu, 1}));
}

TEST(Visible, ReadsNumbersAsStrtolDoes) {
    EXPECT_THAT(read_visible("0x1,0X3,+2, 00 ", inventory_of(4)).targets,
                ElementsAre(Target{kGpu, 1}, Target{kGpu, 3}, Target{kGpu, 2}, Target{kGpu, 0}));
    EXPECT_THAT(read_visible("010", inventory_of(11)).targets, ElementsAre(Target{kGpu, 8}));
    EXPECT_THAT(read_visible("0xa", inventory_of(11)).targets, ElementsAre(Target{kGpu, 10}));
    EXPECT_TRUE(has_numbers("GPU-a,0x1"));
    EXPECT_TRUE(has_numbers("+1"));
    EXPECT_FALSE(has_numbers("-1,GPU-1"));
}

TEST(Visible, EndsAtTheFirstEntryThatIsNoDevice) {
    EXPECT_THAT(read_visible("1,,0", inventory_of(4)).targets, ElementsAre(Target{kGpu, 1}));
    EXPECT_THAT(read_visible("1,9,0", inventory_of(4)).targets, ElementsAre(Target{kGpu, 1}));
}

TEST(Visible, IsEverythingWithoutTheVariable) {
    const Visible visible = read_visible(std::nullopt, inventory_of(2));
    EXPECT_FALSE(visible.restricted);
    EXPECT_THAT(visible.targets, ElementsAre(Target{kGpu, 0}, Target{kGpu, 1}));
}

TEST(Visible, KnowsInstancesAndTheirOldNotation) {
    const Inventory inventory = inventory_with_mig();
    EXPECT_THAT(read_visible(inventory.instances[1].uuid, inventory).targets,
                ElementsAre(Target{kMig, 1}));
    EXPECT_THAT(read_visible("MIG-" + uuid(1) + "/1/0", inventory).targets,
                ElementsAre(Target{kGpu, 1}));
    EXPECT_THAT(read_visible("99999999999999999999", inventory).targets, IsEmpty());
}

TEST(Visible, NumbersFollowPciOnlyAmongEqualsOrByRequest) {
    Inventory mixed = inventory_of(2);
    EXPECT_TRUE(numbers_follow_pci(std::nullopt, mixed));
    mixed.devices[1].name = "NVIDIA L4";
    EXPECT_FALSE(numbers_follow_pci(std::nullopt, mixed));
    EXPECT_FALSE(numbers_follow_pci("FASTEST_FIRST", mixed));
    EXPECT_TRUE(numbers_follow_pci("PCI_BUS_ID", mixed));
}

}  // namespace
}  // namespace ration::cuda
