#include <gmock/gmock.h>

#include <map>

#include "shim/amd/visible.h"
#include "tests/unit/amd_models.h"

namespace ration::amd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<Gpu> four() { return {mi210(0), mi210(1), mi210(2), mi210(3)}; }

// KFD lists the GPUs in another order than PCI.
std::vector<Gpu> turned() {
    auto gpus = four();
    for (Gpu& gpu : gpus) gpu.index = 3 - gpu.place;
    return gpus;
}

std::vector<std::size_t> rocr(const std::optional<std::string>& value) {
    return read_rocr_list(value, four()).gpus;
}

TEST(RocrList, ShowsEverythingWhereItIsNotSet) {
    EXPECT_THAT(rocr(std::nullopt), ElementsAre(0, 1, 2, 3));
    EXPECT_THAT(read_rocr_list(std::nullopt, turned()).gpus, ElementsAre(3, 2, 1, 0));
}

TEST(RocrList, ShowsNothingWhereItIsEmpty) { EXPECT_THAT(rocr(""), IsEmpty()); }

TEST(RocrList, CountsAsTheKernelDoes) {
    EXPECT_THAT(rocr("2,0"), ElementsAre(2, 0));
    EXPECT_THAT(read_rocr_list("0", turned()).gpus, ElementsAre(3));
}

TEST(RocrList, TakesUuidsOfAnyCaseAndTheirBeginnings) {
    EXPECT_THAT(rocr("GPU-00000000000000a2"), ElementsAre(2));
    EXPECT_THAT(rocr("gpu-00000000000000A2"), ElementsAre(2));
    EXPECT_THAT(rocr("GPU-0"), IsEmpty()) << "fits several";
    auto gpus = four();
    gpus[1].uuid = "GPU-1000000000000000";
    EXPECT_THAT(read_rocr_list("GPU-1", gpus).gpus, ElementsAre(1));
    EXPECT_THAT(read_rocr_list("GPU-", gpus).gpus, IsEmpty());
}

TEST(RocrList, EndsAtWhatNamesNoGpuOrIsRepeated) {
    EXPECT_THAT(rocr("1,7,0"), ElementsAre(1));
    EXPECT_THAT(rocr("1,1,0"), ElementsAre(1));
    EXPECT_THAT(rocr("1,-1,0"), ElementsAre(1));
    EXPECT_THAT(rocr("1,x,0"), ElementsAre(1));
    EXPECT_THAT(rocr("1,2 3,0"), ElementsAre(1));
    EXPECT_THAT(rocr("1, ,0"), ElementsAre(1));
}

TEST(RocrList, PassesOverBlanks) { EXPECT_THAT(rocr("1,2 ,\t0"), ElementsAre(1, 2, 0)); }

TEST(RocrList, CutsNumbersTo32Bits) {
    EXPECT_THAT(rocr("4294967296"), ElementsAre(0));
    EXPECT_THAT(rocr("4294967297,0"), ElementsAre(1, 0));
    EXPECT_THAT(rocr("-4294967295"), ElementsAre(1));
    EXPECT_THAT(rocr("2147483648"), IsEmpty());
    EXPECT_THAT(rocr("9223372036854775808"), IsEmpty()) << "strtol answers all ones";
}

TEST(RocrList, ReadsNumbersWithBaseZero) { EXPECT_THAT(rocr("0x3, 01"), ElementsAre(3, 1)); }

std::vector<std::size_t> hip(const std::string& value) {
    const auto gpus = four();
    return read_hip_list(value, read_rocr_list("3,2,0", gpus), gpus).gpus;
}

TEST(HipList, CountsWithinTheListOfRocr) { EXPECT_THAT(hip("1,0"), ElementsAre(2, 3)); }

TEST(HipList, EndsAtWhatIsNotExactlyANumberOfTheList) {
    EXPECT_THAT(hip("1,3,0"), ElementsAre(2));
    EXPECT_THAT(hip("1,00,0"), ElementsAre(2));
}

TEST(HipList, IsNoneIfEmpty) { EXPECT_THAT(hip(""), ElementsAre(3, 2, 0)); }

TEST(HipList, TakesUuids) { EXPECT_THAT(hip("GPU-00000000000000a0"), ElementsAre(0)); }

policy::Environment environment(std::map<std::string, std::string> variables) {
    return
        [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
            const auto found = variables.find(name);
            if (found == variables.end()) return std::nullopt;
            return found->second;
        };
}

TEST(GivenDevices, AreThoseOfBothLists) {
    const auto variables =
        environment({{"ROCR_VISIBLE_DEVICES", "3,2"}, {"HIP_VISIBLE_DEVICES", "1"}});
    EXPECT_THAT(given_devices(variables, four()).gpus, ElementsAre(2));
    EXPECT_EQ(describe_lists(variables), "ROCR_VISIBLE_DEVICES=3,2, HIP_VISIBLE_DEVICES=1");
}

TEST(GivenDevices, CountCudasListIfHipsIsEmpty) {
    const auto given = [](std::map<std::string, std::string> variables) {
        return given_devices(environment(std::move(variables)), four()).gpus;
    };
    EXPECT_THAT(given({{"CUDA_VISIBLE_DEVICES", "1"}}), ElementsAre(1));
    EXPECT_THAT(given({{"HIP_VISIBLE_DEVICES", ""}, {"CUDA_VISIBLE_DEVICES", "1"}}),
                ElementsAre(1));
    EXPECT_THAT(given({{"HIP_VISIBLE_DEVICES", "2"}, {"CUDA_VISIBLE_DEVICES", "1"}}),
                ElementsAre(2));
}

TEST(GivenDevices, AreThoseBeforeAnAncestorWasNarrowed) {
    const auto variables = environment({{"ROCR_VISIBLE_DEVICES", "GPU-x"},
                                        {"RATION_NARROWED_ROCR_VISIBLE_DEVICES", "GPU-x"},
                                        {"RATION_GIVEN_ROCR_VISIBLE_DEVICES", "1,2"}});
    EXPECT_THAT(given_devices(variables, four()).gpus, ElementsAre(1, 2));
    EXPECT_EQ(describe_lists(variables), "ROCR_VISIBLE_DEVICES=1,2");
}

TEST(RocrName, IsTheUuidUnlessItIsMissingOrShared) {
    auto gpus = four();
    EXPECT_EQ(rocr_name(gpus[1], gpus), "GPU-00000000000000a1");
    gpus[2].uuid = gpus[1].uuid;
    EXPECT_EQ(rocr_name(gpus[1], gpus), "1");
    gpus[3].uuid.clear();
    EXPECT_EQ(rocr_name(gpus[3], gpus), "3");
}

}  // namespace
}  // namespace ration::amd
