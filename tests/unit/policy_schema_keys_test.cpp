// The schema and the reader know the same keys. The reader lists its own when it meets another.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "policy_helpers.h"

namespace ration::policy {
namespace {

std::set<std::string> reader_keys(const std::string& table) {
    const Loaded loaded = read_text("schema = 1\n" + table + "\nzzzzzzzz = 1\n");
    const std::string mark = "allowed: ";
    std::set<std::string> keys;
    for (const Diagnostic& problem : loaded.problems) {
        if (problem.text.rfind("unknown key \"zzzzzzzz\"", 0) != 0) continue;
        std::string list = problem.text.substr(problem.text.find(mark) + mark.size()) + ", ";
        for (std::size_t at = 0; (at = list.find(", ")) != std::string::npos;) {
            keys.insert(list.substr(0, at));
            list.erase(0, at + 2);
        }
    }
    return keys;
}

TEST(Schema, HasTheKeysOfTheReader) {
    std::ifstream file(POLICY_SCHEMA);
    const nlohmann::json schema = nlohmann::json::parse(file);
    const auto keys = [](const nlohmann::json& object) {
        std::set<std::string> out;
        for (const auto& [key, value] : object.at("properties").items()) out.insert(key);
        return out;
    };
    EXPECT_EQ(reader_keys(""), keys(schema));
    EXPECT_EQ(reader_keys("[defaults]"), keys(schema["properties"]["defaults"]));
    EXPECT_EQ(reader_keys("[partition.a]"), keys(schema["$defs"]["partition"]));
    EXPECT_EQ(reader_keys("[pool.a]"), keys(schema["$defs"]["pool"]));
    EXPECT_EQ(reader_keys("[[rule]]"), keys(schema["$defs"]["rule"]));
}

}  // namespace
}  // namespace ration::policy
