// Where the mistakes of one source go, and the shapes of values that every key needs.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shim/policy/document.h"
#include "shim/policy/wording.h"

namespace ration::policy {

class Report {
  public:
    Report(const std::string& file, Diagnostics& problems) : file_(file), problems_(problems) {}

    void add(Position where, std::string text) {
        problems_.push_back({place(where), std::move(text)});
    }
    Place place(Position where) const { return {file_, where.line, where.column}; }

    std::size_t count() const { return problems_.size(); }

    // "share is an integer; allowed: ..."
    void wrong_type(const std::string& key, const Value& value, std::string_view allowed) {
        add(value.where,
            key + " is " + kind_name(value.kind) + "; allowed: " + std::string(allowed));
    }

  private:
    const std::string& file_;
    Diagnostics& problems_;
};

// One key of a table that sets something in a Target. `value` is the entry's own value, or one item
// of its list where the table is a pool.
template <typename Target>
struct Key {
    const char* name;
    void (*read)(const std::string& key, const Value& value, Target& target, Report& report);
};

template <typename Target, std::size_t kCount>
const Key<Target>* find_key(const Key<Target> (&keys)[kCount], std::string_view name) {
    for (const Key<Target>& key : keys) {
        if (key.name == name) return &key;
    }
    return nullptr;
}

template <typename Target, std::size_t kCount>
void add_names(const Key<Target> (&keys)[kCount], std::vector<std::string>& names) {
    for (const Key<Target>& key : keys) names.emplace_back(key.name);
}

// `unknown key "shar" in [partition.a] (did you mean "share"?); allowed: ...`
void report_unknown_key(const Entry& entry, const std::string& table,
                        const std::vector<std::string>& allowed, Report& report);

// Reads a table all of whose keys are in `keys`.
template <typename Target, std::size_t kCount>
void read_table(const Value& table, const std::string& title, const Key<Target> (&keys)[kCount],
                Target& target, Report& report) {
    for (const Entry& entry : table.entries) {
        if (const auto* key = find_key(keys, entry.key)) {
            key->read(entry.key, entry.value, target, report);
        } else {
            std::vector<std::string> allowed;
            add_names(keys, allowed);
            report_unknown_key(entry, title, allowed, report);
        }
    }
}

// One of the words; its index, or -1 after a report.
int read_word(const std::string& key, const Value& value, std::initializer_list<const char*> words,
              Report& report);

// true or false; false after a report.
bool read_boolean(const std::string& key, const Value& value, Report& report);

// An integer from `low` to `high`; 0 after a report.
unsigned read_integer(const std::string& key, const Value& value, unsigned low, unsigned high,
                      Report& report);

// A value, or each item of an array of them; an empty array is a mistake.
void for_each_item(const std::string& key, const Value& value, Report& report,
                   const std::function<void(const Value&)>& read);

}  // namespace ration::policy
