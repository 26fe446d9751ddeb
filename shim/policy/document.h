// A TOML file as values with places. Only document.cpp knows toml++.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shim/policy/diagnostic.h"

namespace ration::policy {

// Line and column as in Place.
struct Position {
    unsigned line = 0;
    unsigned column = 0;
};

struct Entry;

struct Value {
    enum class Kind { kString, kInteger, kFloat, kBoolean, kTime, kArray, kTable };
    Kind kind = Kind::kTable;
    Position where;
    std::string text;            // kString
    std::int64_t integer = 0;    // kInteger
    bool boolean = false;        // kBoolean
    std::vector<Value> items;    // kArray
    std::vector<Entry> entries;  // kTable, in the order of the text
};

struct Entry {
    std::string key;
    Position where;
    Value value;
};

// "a string", "an array", ...
const char* kind_name(Value::Kind kind);

// The entry of a table; nullptr if it is not there.
const Entry* find_entry(const Value& table, std::string_view key);

// nullopt and one diagnostic if the text is not TOML, or is longer or nested deeper than any policy
// is. Never throws but for want of memory.
std::optional<Value> parse_document(const std::string& file, std::string_view text,
                                    Diagnostics& problems);

}  // namespace ration::policy
