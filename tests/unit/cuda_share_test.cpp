#include <gtest/gtest.h>

#include <clocale>
#include <cstdlib>

#include "shim/cuda/share.h"
#include "shim/policy/decide.h"

namespace ration::cuda {
namespace {

unsigned granted(double percent, unsigned total) {
    return policy::granted_units(percent, total, policy::kMpsGranularity);
}

TEST(DriverPercentage, IsReadAsTheDriverReadsIt) {
    EXPECT_EQ(driver_percentage("25"), 25);
    EXPECT_EQ(driver_percentage("25%"), 25);
    EXPECT_EQ(driver_percentage("33.3"), 33.3);
    EXPECT_EQ(driver_percentage(" 10"), 10);
    for (const char* everything : {"0", "-5", "abc", "", "140", "100", "nan", "inf"}) {
        EXPECT_EQ(driver_percentage(everything), 100) << everything;
    }
    EXPECT_EQ(driver_percentage(std::nullopt), 100);
}

// Whatever strtod reads as a smaller share than everything is one.
TEST(DriverPercentage, OverlooksNoSmallerShare) {
    for (const char* text :
         {"+10", "0x10", "0X1p3",   "+0xA", "\n10",  "\v\f\r 10", "1e1",   ".5",
          "5.",  "10,5", "0x1.8 %", "++10", "+-10",  "-+10",      "0x",    "0xg",
          "+",   "+ 10", "1e",      "0x-1", "-0x10", "1e-400",    "0x100", "infinity"}) {
        const double number = std::strtod(text, nullptr);
        EXPECT_EQ(driver_percentage(text), number > 0 && number <= 100 ? number : 100) << text;
    }
}

TEST(DriverPercentage, DoesNotDependOnTheProgramsLocale) {
    // Where the locale is not installed, the test says nothing, but does not fail.
    std::setlocale(LC_NUMERIC, "de_DE.UTF-8");
    EXPECT_EQ(driver_percentage("33.5"), 33.5);
    EXPECT_EQ(percentage_text(33.5), "33.5");
    std::setlocale(LC_NUMERIC, "C");
}

TEST(PercentageText, HasThreeDecimalsAtMost) {
    EXPECT_EQ(percentage_text(25), "25");
    EXPECT_EQ(percentage_text(100), "100");
    EXPECT_EQ(percentage_text(12.5), "12.5");
    EXPECT_EQ(percentage_text(0.5), "0.5");
    EXPECT_EQ(percentage_text(33.05), "33.05");
}

TEST(PercentageText, IsRoundedUpSoThatAThirdStaysAThird) {
    EXPECT_EQ(percentage_text(100.0 / 3), "33.334");
    EXPECT_EQ(granted(driver_percentage(percentage_text(100.0 / 3)), 132), 44U);
    EXPECT_EQ(percentage_text(0.1 + 0.2), "0.3");
    // "0" would be all of the GPU.
    EXPECT_EQ(percentage_text(1e-10), "0.001");
}

TEST(PercentageForSms, GivesTheCountOnEveryDevice) {
    for (const unsigned total : {20U, 58U, 108U, 114U, 132U, 144U, 148U, 192U}) {
        for (unsigned sms = 8; sms <= total; sms += 2) {
            const auto percent = percentage_for_sms(sms, {total});
            ASSERT_TRUE(percent) << sms << " of " << total;
            EXPECT_EQ(granted(driver_percentage(percentage_text(*percent)), total), sms)
                << sms << " of " << total;
            EXPECT_EQ(*percent, static_cast<unsigned>(*percent)) << "a whole number will do";
        }
    }
}

TEST(PercentageForSms, UsesDecimalsOnLargerDevices) {
    const auto percent = percentage_for_sms(302, {1000});
    ASSERT_TRUE(percent);
    EXPECT_EQ(granted(driver_percentage(percentage_text(*percent)), 1000), 302U);
}

TEST(PercentageForSms, AnOddCountIsTheEvenOneBelowAndLessThanEightIsEight) {
    EXPECT_EQ(granted(*percentage_for_sms(31, {132}), 132), 30U);
    EXPECT_EQ(granted(*percentage_for_sms(1, {132}), 132), 8U);
}

TEST(PercentageForSms, ServesSeveralDevicesOnlyIfOnePercentageDoes) {
    EXPECT_TRUE(percentage_for_sms(32, {132, 132}));
    EXPECT_FALSE(percentage_for_sms(32, {132, 108}));
    EXPECT_FALSE(percentage_for_sms(108, {132, 108}));
    EXPECT_EQ(percentage_for_sms(132, {132}), 100);
    EXPECT_FALSE(percentage_for_sms(32, {}));
}

}  // namespace
}  // namespace ration::cuda
