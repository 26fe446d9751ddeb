// Which context stands for which.
#include <gtest/gtest.h>

#include "shim/cuda/green/homes.h"

namespace ration::cuda::green {
namespace {

CUcontext handle(std::uintptr_t number) { return reinterpret_cast<CUcontext>(number); }

const CUcontext kPrimary = handle(0x10);
const CUcontext kSecond = handle(0x20);
const CUcontext kHome = handle(0x30);
const CUcontext kOther = handle(0x40);

TEST(GreenHomes, KnowNothingAtFirst) {
    const Homes homes;
    for (CUcontext context : {kPrimary, CUcontext{}}) {
        EXPECT_EQ(homes.real(context), context);
        EXPECT_EQ(homes.told(context), context);
        EXPECT_FALSE(homes.is_home(context));
        EXPECT_EQ(homes.device_of_primary(context), -1);
        EXPECT_EQ(homes.device_of_home(context), -1);
    }
}

TEST(GreenHomes, StandForTheirPrimaryAlone) {
    Homes homes;
    homes.know_primary(0, kSecond);
    homes.know_primary(3, kPrimary);
    homes.begin(3, kHome);
    EXPECT_EQ(homes.real(kPrimary), kHome);
    EXPECT_EQ(homes.told(kHome), kPrimary);
    EXPECT_EQ(homes.real(kSecond), kSecond) << "it has no home";
    EXPECT_EQ(homes.real(kOther), kOther);
    EXPECT_EQ(homes.told(kOther), kOther);
    EXPECT_EQ(homes.real(nullptr), nullptr);
    EXPECT_EQ(homes.told(nullptr), nullptr) << "a device without a home is not the one of null";
    EXPECT_TRUE(homes.is_home(kHome));
    EXPECT_FALSE(homes.is_home(kPrimary));
    EXPECT_EQ(homes.device_of_primary(kPrimary), 3);
    EXPECT_EQ(homes.device_of_home(kHome), 3);
}

TEST(GreenHomes, OneThatHasEndedIsToldAsThePrimaryStill) {
    Homes homes;
    homes.know_primary(0, kPrimary);
    homes.begin(0, kHome);
    homes.end(0);
    EXPECT_EQ(homes.real(kPrimary), kPrimary);
    EXPECT_EQ(homes.told(kHome), kPrimary);
    EXPECT_EQ(homes.device_of_home(kHome), 0);
    const CUcontext next = handle(0x50);
    homes.begin(0, next);
    EXPECT_EQ(homes.real(kPrimary), next);
    EXPECT_EQ(homes.told(kHome), kPrimary);
    EXPECT_EQ(homes.told(next), kPrimary);
}

TEST(GreenHomes, AreAbsentWhereOneThatHasEndedOrThePrimaryIsCurrent) {
    Homes homes;
    homes.know_primary(2, kPrimary);
    homes.begin(2, kHome);
    EXPECT_FALSE(homes.any_ended());
    EXPECT_EQ(homes.device_of_absent(kHome), -1);
    EXPECT_EQ(homes.device_of_absent(kPrimary), 2);
    homes.end(2);
    EXPECT_TRUE(homes.any_ended());
    homes.begin(2, handle(0x50));
    EXPECT_EQ(homes.device_of_absent(kHome), 2);
    EXPECT_EQ(homes.device_of_absent(handle(0x50)), -1);
    EXPECT_EQ(homes.device_of_absent(kOther), -1);
    EXPECT_EQ(homes.device_of_absent(nullptr), -1);
}

TEST(GreenHomes, TellOfEveryChangeAfterWhichAContextMayBeAbsent) {
    Homes homes;
    std::uint64_t before = Homes::changes();
    homes.know_primary(2, kPrimary);
    EXPECT_NE(Homes::changes(), before);
    homes.begin(2, kHome);
    before = Homes::changes();
    homes.end(2);
    EXPECT_NE(Homes::changes(), before);
    before = Homes::changes();
    homes.end(2);
    EXPECT_EQ(Homes::changes(), before) << "it had ended already";
}

TEST(GreenHomes, AHandleThatTheDriverGivesAgainIsNoHomeAnyMore) {
    Homes homes;
    homes.know_primary(0, kPrimary);
    homes.begin(0, kHome);
    homes.end(0);
    homes.forget_ended(kHome);
    EXPECT_EQ(homes.told(kHome), kHome);
}

TEST(GreenHomes, ManyMayEnd) {
    Homes homes;
    homes.know_primary(0, kPrimary);
    for (std::uintptr_t i = 0; i < 200; ++i) {
        homes.begin(0, handle(0x1000 + i));
        homes.end(0);
    }
    EXPECT_EQ(homes.told(handle(0x1000 + 199)), kPrimary);
    EXPECT_EQ(homes.told(handle(0x1000)), handle(0x1000)) << "the oldest are forgotten";
}

TEST(GreenHomes, RememberWhatIsNone) {
    Homes homes;
    EXPECT_FALSE(homes.is_other(kOther));
    homes.know_other(kOther);
    EXPECT_TRUE(homes.is_other(kOther));
    EXPECT_FALSE(homes.is_other(kPrimary));
    for (std::uintptr_t i = 0; i < 200; ++i) homes.know_other(handle(0x2000 + i));
    EXPECT_TRUE(homes.is_other(handle(0x2000 + 199)));
}

TEST(GreenHomes, ForgetThatAContextWasNoneWhenItEnds) {
    Homes homes;
    homes.know_other(kOther);
    homes.know_other(kSecond);
    homes.forget_other(kOther);
    EXPECT_FALSE(homes.is_other(kOther));
    EXPECT_TRUE(homes.is_other(kSecond));
    EXPECT_FALSE(homes.is_other(nullptr));
    homes.know_primary(1, kSecond);
    EXPECT_FALSE(homes.is_other(kSecond)) << "the driver has given the handle again";
}

}  // namespace
}  // namespace ration::cuda::green
