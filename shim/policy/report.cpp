#include "shim/policy/report.h"

#include <algorithm>

namespace ration::policy {

void report_unknown_key(const Entry& entry, const std::string& table,
                        const std::vector<std::string>& allowed, Report& report) {
    // TOML reads a key that stands behind a table's header as that table's.
    const bool late = entry.key == "schema" || entry.key == "locked";
    const std::string hint =
        late ? " (it belongs before the first table)" : suggestion(entry.key, allowed);
    report.add(entry.where, "unknown key " + quote(entry.key) + " in " + table + hint +
                                "; allowed: " + join(allowed));
}

int read_word(const std::string& key, const Value& value, std::initializer_list<const char*> words,
              Report& report) {
    if (value.kind == Value::Kind::kString) {
        const auto found = std::find(words.begin(), words.end(), value.text);
        if (found != words.end()) return static_cast<int>(found - words.begin());
    }
    std::vector<std::string> allowed;
    for (const char* word : words) allowed.push_back('"' + std::string(word) + '"');
    if (value.kind != Value::Kind::kString) {
        report.wrong_type(key, value, join(allowed));
    } else {
        report.add(value.where, key + ' ' + quote(value.text) + " is unknown" +
                                    suggestion(value.text, {words.begin(), words.end()}) +
                                    "; allowed: " + join(allowed));
    }
    return -1;
}

bool read_boolean(const std::string& key, const Value& value, Report& report) {
    if (value.kind != Value::Kind::kBoolean) report.wrong_type(key, value, "true or false");
    return value.kind == Value::Kind::kBoolean && value.boolean;
}

unsigned read_integer(const std::string& key, const Value& value, unsigned low, unsigned high,
                      Report& report) {
    const bool integer = value.kind == Value::Kind::kInteger;
    if (integer && value.integer >= low && value.integer <= high) {
        return static_cast<unsigned>(value.integer);
    }
    const std::string allowed =
        "an integer from " + std::to_string(low) + " to " + std::to_string(high);
    if (integer) {
        report.add(value.where, key + ' ' + std::to_string(value.integer) +
                                    " is out of range; allowed: " + allowed);
    } else {
        report.wrong_type(key, value, allowed);
    }
    return 0;
}

void for_each_item(const std::string& key, const Value& value, Report& report,
                   const std::function<void(const Value&)>& read) {
    if (value.kind != Value::Kind::kArray) return read(value);
    if (value.items.empty()) report.add(value.where, key + " is an empty array; leave the key out");
    for (const Value& item : value.items) read(item);
}

}  // namespace ration::policy
