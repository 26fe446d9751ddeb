#include <gmock/gmock.h>

#include "shim/amd/devices.h"
#include "shim/policy/amount.h"
#include "tests/unit/amd_models.h"

namespace ration::amd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class DevicesTest : public testing::Test {
  protected:
    Or<std::vector<std::size_t>> select(const std::vector<std::string>& texts) {
        std::vector<policy::DeviceSelector> selectors;
        for (const std::string& text : texts) {
            selectors.push_back(*policy::parse_device(text, true).value);
        }
        return select_devices(selectors, gpus_, bounds_);
    }

    std::vector<std::size_t> chosen(const std::vector<std::string>& texts) {
        const auto result = select(texts);
        const Refusal* refusal = refusal_of(result);
        EXPECT_EQ(refusal, nullptr) << refusal->line;
        return refusal == nullptr ? std::get<std::vector<std::size_t>>(result)
                                  : std::vector<std::size_t>{};
    }

    std::string refusal(const std::vector<std::string>& texts) {
        const auto result = select(texts);
        const Refusal* found = refusal_of(result);
        EXPECT_TRUE(found == nullptr || found->no_device);
        return found == nullptr ? "not refused" : found->line;
    }

    void give(const std::string& list) {
        bounds_.given = read_rocr_list(list, gpus_);
        bounds_.lists = "ROCR_VISIBLE_DEVICES=" + list;
    }

    std::vector<Gpu> gpus_ = {mi210(0), mi210(1), mi210(2)};
    Bounds bounds_{read_rocr_list(std::nullopt, gpus_), "ROCR_VISIBLE_DEVICES is not set", false};
};

TEST_F(DevicesTest, ByNumberInPciOrder) {
    gpus_[2].index = 0;
    gpus_[0].index = 2;
    EXPECT_THAT(chosen({"2", "0"}), ElementsAre(2, 0));
}

TEST_F(DevicesTest, ByUuidInEitherCase) {
    EXPECT_THAT(chosen({"GPU-00000000000000A1"}), ElementsAre(1));
    EXPECT_THAT(chosen({"GPU-00000000000000a1"}), ElementsAre(1));
}

TEST_F(DevicesTest, ByPciAddress) { EXPECT_THAT(chosen({"12:00.0"}), ElementsAre(2)); }

TEST_F(DevicesTest, RelativeToWhatTheProcessWasGiven) {
    give("2,1");
    EXPECT_THAT(chosen({"visible:1"}), ElementsAre(1));
    EXPECT_EQ(
        refusal({"visible:2"}),
        "visible:2 is past the devices that this process was given (ROCR_VISIBLE_DEVICES=2,1: "
        "2 = GPU-00000000000000a2, 1 = GPU-00000000000000a1): they count from 0");
}

TEST_F(DevicesTest, OnlyNarrow) {
    give("2");
    EXPECT_THAT(refusal({"0"}),
                AllOf(HasSubstr("device 0 (0 = GPU-00000000000000a0) is not among"),
                      HasSubstr("ROCR_VISIBLE_DEVICES=2"), HasSubstr("override_visible")));
    bounds_.override_visible = true;
    EXPECT_THAT(chosen({"0"}), ElementsAre(0));
}

TEST_F(DevicesTest, RefuseWhatIsNotThereAndListWhatIs) {
    EXPECT_EQ(refusal({"3"}),
              "this node has no AMD GPU that is device 3; there are: 0 = GPU-00000000000000a0, "
              "1 = GPU-00000000000000a1, 2 = GPU-00000000000000a2");
    gpus_.clear();
    EXPECT_THAT(refusal({"GPU-1"}), HasSubstr("there are: none"));
}

TEST_F(DevicesTest, RefuseWhatFitsSeveral) {
    EXPECT_THAT(refusal({"GPU-0"}), HasSubstr("GPU-0 fits several GPUs"));
}

TEST_F(DevicesTest, RefuseTheAddressOfAPartitionedGpu) {
    gpus_[1].pci = gpus_[0].pci;
    gpus_[1].partition = 1;
    EXPECT_THAT(refusal({"0000:10:00.0"}),
                AllOf(HasSubstr("fits several GPUs"), HasSubstr("a1 partition 1")));
}

TEST_F(DevicesTest, RefuseTheSameTwice) {
    EXPECT_THAT(refusal({"1", "visible:1"}), HasSubstr("twice (the second time as visible:1)"));
}

}  // namespace
}  // namespace ration::amd
