#include <gmock/gmock.h>

#include "shim/cuda/devices.h"
#include "tests/unit/cuda_inventory.h"

namespace ration::cuda {
namespace {

using policy::DeviceSelector;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using Indices = std::vector<std::size_t>;
using Kind = DeviceSelector::Kind;

DeviceSelector index(unsigned number) { return {Kind::kIndex, number, std::to_string(number)}; }
DeviceSelector visible(unsigned number) { return {Kind::kVisible, number, ""}; }
DeviceSelector by_uuid(const std::string& text) { return {Kind::kUuid, 0, text}; }
DeviceSelector by_pci(const std::string& text) { return {Kind::kPci, 0, text}; }

Indices chosen(const Or<Indices>& result) {
    const Refusal* refusal = refusal_of(result);
    EXPECT_EQ(refusal, nullptr) << refusal->line;
    return refusal == nullptr ? std::get<Indices>(result) : Indices{};
}

std::string refused(const Or<Indices>& result) {
    const Refusal* refusal = refusal_of(result);
    return refusal == nullptr ? "not refused" : refusal->line;
}

Bounds given(const char* list) { return {list, std::nullopt, false}; }

TEST(SelectDevices, ByEachWayOfNamingOne) {
    const Inventory node = inventory_of(4);
    EXPECT_THAT(chosen(select_devices({index(3), index(1)}, node, {})), ElementsAre(3, 1));
    EXPECT_THAT(chosen(select_devices({by_uuid(uuid(2))}, node, {})), ElementsAre(2));
    EXPECT_THAT(chosen(select_devices({by_uuid("GPU-c")}, node, {})), ElementsAre(2));
    EXPECT_THAT(chosen(select_devices({by_pci("0000:12:00.0")}, node, {})), ElementsAre(2));
    EXPECT_THAT(chosen(select_devices({visible(1)}, node, given("3,2"))), ElementsAre(2));
    EXPECT_THAT(chosen(select_devices({visible(1)}, node, {})), ElementsAre(1));
}

TEST(SelectDevices, AnIndexIsTheNodesAndNotTheLists) {
    EXPECT_THAT(chosen(select_devices({index(2)}, inventory_of(4), given("3,2"))), ElementsAre(2));
}

TEST(SelectDevices, RefusesWhatIsNotThereAndListsWhatIs) {
    const Inventory node = inventory_of(2);
    for (const DeviceSelector& selector : {index(2), by_uuid("GPU-ffff"), by_pci("0000:99:00.0")}) {
        EXPECT_THAT(refused(select_devices({selector}, node, {})),
                    AllOf(HasSubstr("0 = " + uuid(0)), HasSubstr("1 = " + uuid(1))));
    }
    EXPECT_THAT(refused(select_devices({index(0)}, Inventory{}, {})), HasSubstr("there are: none"));
    EXPECT_THAT(refused(select_devices({visible(2)}, node, given("1,0"))),
                AllOf(HasSubstr("visible:2"), HasSubstr("CUDA_VISIBLE_DEVICES=1,0")));
}

TEST(SelectDevices, RefusesAnAmbiguousBeginning) {
    EXPECT_THAT(refused(select_devices({by_uuid("GPU-")}, inventory_of(2), {})),
                HasSubstr("fits several GPUs"));
}

TEST(SelectDevices, RefusesOneDeviceUnderTwoNames) {
    EXPECT_THAT(refused(select_devices({index(1), by_uuid("GPU-b")}, inventory_of(2), {})),
                AllOf(HasSubstr("twice"), HasSubstr(uuid(1))));
}

TEST(SelectDevices, RefusesOneOutsideTheGivenListAndShowsBoth) {
    EXPECT_THAT(
        refused(select_devices({index(3)}, inventory_of(4), given("0,1"))),
        AllOf(HasSubstr("device 3 (" + uuid(3) + ")"), HasSubstr("CUDA_VISIBLE_DEVICES=0,1"),
              HasSubstr(uuid(0)), HasSubstr(uuid(1)), HasSubstr("override_visible")));
    EXPECT_THAT(refused(select_devices({index(0)}, inventory_of(4), given(""))),
                HasSubstr("no device"));
}

TEST(SelectDevices, MayLeaveTheListWhereThePolicySaysSo) {
    Bounds bounds = given("0,1");
    bounds.override_visible = true;
    EXPECT_THAT(chosen(select_devices({index(3)}, inventory_of(4), bounds)), ElementsAre(3));
}

TEST(SelectDevices, RefusesToGuessTheOrderOfDifferentModels) {
    Inventory mixed = inventory_of(2);
    mixed.devices[0].name = "NVIDIA L4";
    Bounds bounds = given("1");
    EXPECT_THAT(refused(select_devices({index(1)}, mixed, bounds)), HasSubstr("CUDA_DEVICE_ORDER"));
    bounds.order = "PCI_BUS_ID";
    EXPECT_THAT(chosen(select_devices({index(1)}, mixed, bounds)), ElementsAre(1));
    EXPECT_THAT(chosen(select_devices({index(1)}, mixed, given(uuid(1).c_str()))), ElementsAre(1));
}

TEST(SelectDevices, RefusesAnInstanceAsADevice) {
    const Inventory node = inventory_with_mig();
    EXPECT_THAT(refused(select_devices({visible(0)}, node, given("MIG-1111"))),
                HasSubstr("name it by `mig`"));
}

std::string instance_of(const std::string& mig, const Bounds& bounds) {
    const Inventory node = inventory_with_mig();
    const auto result = select_instance(mig, node, bounds);
    if (const Refusal* refusal = refusal_of(result)) return refusal->line;
    return node.instances[std::get<std::size_t>(result)].profile;
}

TEST(SelectInstance, ByUuidOrItsBeginning) {
    EXPECT_EQ(instance_of("MIG-22222222-0000-5000-8000-000000000002", {}), "1g.10gb");
    EXPECT_EQ(instance_of("MIG-1", {}), "3g.40gb");
}

TEST(SelectInstance, ListsTheInstancesThereAre) {
    EXPECT_THAT(
        instance_of("MIG-9", {}),
        AllOf(HasSubstr("no MIG instance MIG-9"),
              HasSubstr("MIG-11111111-0000-5000-8000-000000000001 (3g.40gb on " + uuid(1)),
              HasSubstr("MIG-22222222-0000-5000-8000-000000000002 (1g.10gb on " + uuid(1))));
    EXPECT_THAT(instance_of("MIG-", {}), HasSubstr("fits several"));
    const auto none = select_instance("MIG-9", inventory_of(1), {});
    EXPECT_THAT(refusal_of(none)->line, HasSubstr("none: enable MIG"));
}

TEST(SelectInstance, MustBeGivenItselfOrByItsGpu) {
    EXPECT_EQ(instance_of("MIG-1", given("MIG-1111")), "3g.40gb");
    EXPECT_EQ(instance_of("MIG-1", given("1")), "3g.40gb");
    EXPECT_THAT(instance_of("MIG-1", given("0")), HasSubstr("CUDA_VISIBLE_DEVICES=0"));
    EXPECT_THAT(instance_of("MIG-1", given("MIG-2222")),
                HasSubstr("is not among the devices that this process was given"));
}

}  // namespace
}  // namespace ration::cuda
