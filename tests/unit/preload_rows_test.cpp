// The tables by which the front finds a name of hooks.def.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "shim/preload/rows.h"

namespace ration::front {
namespace {

std::string family(unsigned row) {
    return std::string(kHookRows[row].symbol).substr(0, kHookRows[row].family_length);
}

std::set<std::string> symbols() {
    std::set<std::string> all;
    for (const HookRow& row : kHookRows) all.insert(row.symbol);
    return all;
}

TEST(RowsBySymbol, FindsEachRow) {
    for (unsigned row = 0; row < kRowCount; ++row) {
        EXPECT_EQ(kRowsBySymbol.find(kHookRows[row].symbol), static_cast<int>(row));
    }
    EXPECT_EQ(symbols().size(), kRowCount) << "a symbol stands twice";
}

TEST(RowsBySymbol, FindsNothingThatOnlyLooksLikeOne) {
    const std::set<std::string> all = symbols();
    for (const std::string& symbol : all) {
        for (const std::string& near :
             {symbol + "x", symbol + "_v9", symbol.substr(0, symbol.size() - 1), "x" + symbol,
              symbol.substr(1)}) {
            if (all.count(near) != 0) continue;
            EXPECT_EQ(kRowsBySymbol.find(near.c_str()), -1) << near;
        }
    }
    for (const char* other : {"", "c", "cu", "curl_easy_init", "cudnnCreate", "dlsym", "malloc",
                              "\xff", "Cuinit", "iOctl"}) {
        EXPECT_EQ(kRowsBySymbol.find(other), -1) << other;
    }
}

TEST(RowsByFamily, OffersEachRowOfAFamilyOnce) {
    for (unsigned row = 0; row < kRowCount; ++row) {
        std::vector<unsigned> offered;
        const auto decline = [&](unsigned one) {
            offered.push_back(one);
            return false;
        };
        EXPECT_EQ(kRowsByFamily.find(family(row).c_str(), decline), -1);
        std::vector<unsigned> expected;
        for (unsigned one = 0; one < kRowCount; ++one) {
            if (family(one) == family(row)) expected.push_back(one);
        }
        std::sort(offered.begin(), offered.end());
        EXPECT_EQ(offered, expected) << family(row);
    }
}

TEST(RowsByFamily, FindsTheOneThatIsWanted) {
    const auto wanted = static_cast<unsigned>(Hook::cuCtxCreate_v3);
    EXPECT_EQ(kRowsByFamily.find("cuCtxCreate", [&](unsigned row) { return row == wanted; }),
              static_cast<int>(wanted));
    EXPECT_EQ(kRowsByFamily.find("cuCtxCreate_v3"), -1) << "that is a symbol";
}

}  // namespace
}  // namespace ration::front
