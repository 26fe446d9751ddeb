#include <gtest/gtest.h>

#include "shim/policy/amount.h"

namespace ration::policy {
namespace {

std::uint64_t bytes(const char* text) {
    const auto reading = parse_memory(text);
    return reading.value ? std::get<std::uint64_t>(reading.value->amount) : 0;
}

TEST(Amount, SharesArePercentagesOrFractions) {
    EXPECT_DOUBLE_EQ(parse_share("25%").value.value(), 25);
    EXPECT_DOUBLE_EQ(parse_share("12.5%").value.value(), 12.5);
    EXPECT_DOUBLE_EQ(parse_share("25 %").value.value(), 25);
    EXPECT_DOUBLE_EQ(parse_share("100%").value.value(), 100);
    EXPECT_DOUBLE_EQ(parse_share("0.01%").value.value(), 0.01);
    EXPECT_DOUBLE_EQ(parse_share("1/3").value.value(), 100.0 / 3);
    EXPECT_DOUBLE_EQ(parse_share("3/3").value.value(), 100);
}

TEST(Amount, WrongSharesAreRefused) {
    for (const char* text :
         {"",     "%",    "25",    "0%",    "0.0%", "100.1%", "-1%",   "+1%",    "1e1%",
          "25%%", " 25%", "25%  ", "25  %", "1/",   "/3",     "1/0",   "4/3",    "1 / 3",
          "1/3%", "0/1",  "1.0/2", "1/2.0", "nan%", "inf%",   "0x10%", "1.2.3%", ".5%"}) {
        EXPECT_FALSE(parse_share(text).value) << text;
        EXPECT_FALSE(parse_share(text).error.empty()) << text;
    }
    EXPECT_EQ(
        parse_share("140%").error,
        "\"140%\" is above 100%; allowed: a share above 0% and at most 100%, such as \"25%\", "
        "\"12.5%\" or \"1/3\"");
}

TEST(Amount, SizesAreBinaryUnlessTheyEndInB) {
    EXPECT_EQ(bytes("1MiB"), 1U << 20U);
    EXPECT_EQ(bytes("1M"), 1U << 20U);
    EXPECT_EQ(bytes("1024KiB"), 1U << 20U);
    EXPECT_EQ(bytes("1024K"), 1U << 20U);
    EXPECT_EQ(bytes("10GiB"), 10ULL << 30U);
    EXPECT_EQ(bytes("1.5G"), 3ULL << 29U);
    EXPECT_EQ(bytes("2TiB"), 2ULL << 40U);
    EXPECT_EQ(bytes("2T"), 2ULL << 40U);
    EXPECT_EQ(bytes("2000KB"), 2000000U);
    EXPECT_EQ(bytes("10 MB"), 10000000U);
    EXPECT_EQ(bytes("10GB"), 10000000000U);
    EXPECT_EQ(bytes("1TB"), 1000000000000U);
    EXPECT_DOUBLE_EQ(std::get<double>(parse_memory("25%").value->amount), 25);
}

TEST(Amount, WrongSizesAreRefused) {
    for (const char* text : {"", "10", "GiB", "10gib", "10Gi", "1023KiB", "0.9MiB", "0GiB", "0%",
                             "101%", "-1GiB", "10GiBB", "1/2", "1025TiB", "99999999999999999GiB"}) {
        EXPECT_FALSE(parse_memory(text).value) << text;
        EXPECT_FALSE(parse_memory(text).error.empty()) << text;
    }
}

TEST(Amount, DevicesHaveFourForms) {
    using Kind = DeviceSelector::Kind;
    const auto visible = parse_device("visible:3", false).value.value();
    EXPECT_EQ(visible.kind, Kind::kVisible);
    EXPECT_EQ(visible.index, 3U);
    EXPECT_EQ(visible.text, "visible:3");
    const auto uuid = parse_device("GPU-4f0c2a11-0000-5000-8000-0123456789ab", false);
    EXPECT_EQ(uuid.value.value().kind, Kind::kUuid);
    EXPECT_EQ(parse_device("GPU-4f", false).value.value().text, "GPU-4f");
    EXPECT_EQ(parse_device("GPU-4F0C2A11-AB", false).value.value().text, "GPU-4f0c2a11-ab");
    for (const char* text : {"17:00.0", "0000:17:00.0", "00000000:3B:00.0"}) {
        const auto pci = parse_device(text, false).value;
        ASSERT_TRUE(pci) << text;
        EXPECT_EQ(pci->kind, Kind::kPci);
        EXPECT_EQ(pci->text, text);
    }
    const auto index = parse_device("12", true).value.value();
    EXPECT_EQ(index.kind, Kind::kIndex);
    EXPECT_EQ(index.index, 12U);
    EXPECT_EQ(device_at(12).text, "12");
}

TEST(Amount, WrongDevicesAreRefused) {
    for (const char* text :
         {"", "0", "visible:", "visible:-1", "visible:1024", "visible:0 ", "GPU-", "GPU-xyz",
          "MIG-4f0c", "0000:17:00", "0000:17:00.00", "000:17:00.0", "g000:17:00.0", "cuda:0"}) {
        EXPECT_FALSE(parse_device(text, false).value) << text;
    }
    EXPECT_FALSE(parse_device("1024", true).value);
    EXPECT_FALSE(parse_device("", true).value);
}

TEST(Amount, MigInstancesAreUuids) {
    EXPECT_TRUE(parse_mig("MIG-4f0c2a11-0000-5000-8000-0123456789ab").value);
    EXPECT_TRUE(parse_mig("MIG-GPU-4f0c2a11-0000-5000-8000-0123456789ab/7/0").value);
    EXPECT_EQ(parse_mig("MIG-4F0C").value, "MIG-4f0c");
    EXPECT_EQ(parse_mig("MIG-GPU-4F0C/7/0").value, "MIG-GPU-4f0c/7/0");
    for (const char* text : {"", "MIG-", "MIG-xyz", "MIG-GPU-4f", "MIG-GPU-4f/1", "MIG-GPU-4f/a/0",
                             "MIG-GPU-4f/1/", "GPU-4f", "MIG 1g.10gb"}) {
        EXPECT_FALSE(parse_mig(text).value) << text;
    }
}

TEST(Amount, NumbersAreDigitsThatFit) {
    EXPECT_EQ(parse_unsigned("0"), 0U);
    EXPECT_EQ(parse_unsigned("007"), 7U);
    EXPECT_EQ(parse_unsigned("4294967295"), 4294967295U);
    for (const char* text :
         {"", " 1", "1 ", "+1", "-1", "4294967296", "99999999999", "1.0", "0x1"}) {
        EXPECT_FALSE(parse_unsigned(text)) << text;
    }
}

}  // namespace
}  // namespace ration::policy
