// The shape of most values of a partition: a string in a small language of its own.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "shim/policy/amount.h"
#include "shim/policy/report.h"

namespace ration::policy {

// A string that `parse` understands; nullopt after a report.
template <typename T>
std::optional<T> read_text(const std::string& key, const Value& value, const char* allowed,
                           Report& report, Reading<T> (*parse)(std::string_view)) {
    if (value.kind != Value::Kind::kString) {
        report.wrong_type(key, value, allowed);
        return std::nullopt;
    }
    Reading<T> reading = parse(value.text);
    if (!reading.value) report.add(value.where, key + ' ' + reading.error);
    return std::move(reading.value);
}

}  // namespace ration::policy
