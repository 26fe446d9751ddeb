#include "shim/policy/document.h"

// toml++ states assumptions that malformed text can break: "[&" and "[[[" do in versions 3.3
// and 3.4 (its issue 294). With assertions that would end the host program, and in a release build
// it tells the compiler to rely on them. The code behind each handles the case, so they are simply
// left out.
#undef NDEBUG
#define TOML_ASSERT(expression) static_cast<void>(0)
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
// Depth costs stack in the parser, and this runs on whatever thread the host program calls from.
#define TOML_MAX_NESTED_VALUES 8
#include <toml++/toml.h>

#include <algorithm>

#include "shim/policy/guard.h"
#include "shim/policy/wording.h"

namespace ration::policy {
namespace {

static_assert(TOML_MAX_NESTED_VALUES == kDeepestNesting);

constexpr std::size_t kDescriptionLimit = 200;

class Converter {
  public:
    explicit Converter(std::string_view text) : lines_(text) {}

    Position where(const toml::source_region& region) const {
        return lines_.in_bytes({region.begin.line, region.begin.column});
    }

    // The header [a.b] makes a table `a` too, whose place is that of the header's bracket.
    Value value(const toml::node& node) const {
        Value out;
        out.where = where(node.source());
        if (const auto* string = node.as_string()) {
            out.kind = Value::Kind::kString;
            out.text = string->get();
        } else if (const auto* integer = node.as_integer()) {
            out.kind = Value::Kind::kInteger;
            out.integer = integer->get();
        } else if (const auto* boolean = node.as_boolean()) {
            out.kind = Value::Kind::kBoolean;
            out.boolean = boolean->get();
        } else if (node.is_floating_point()) {
            out.kind = Value::Kind::kFloat;
        } else if (const auto* array = node.as_array()) {
            out.kind = Value::Kind::kArray;
            for (const toml::node& item : *array) out.items.push_back(value(item));
        } else if (const auto* table = node.as_table()) {
            out.entries = entries(*table);
        } else {
            out.kind = Value::Kind::kTime;
        }
        return out;
    }

  private:
    std::vector<Entry> entries(const toml::table& table) const {
        std::vector<Entry> out;
        for (const auto& [key, node] : table) {
            out.push_back({std::string(key.str()), where(key.source()), value(node)});
        }
        std::sort(out.begin(), out.end(), [](const Entry& a, const Entry& b) {
            return a.where.line != b.where.line ? a.where.line < b.where.line
                                                : a.where.column < b.where.column;
        });
        return out;
    }

    Lines lines_;
};

std::string describe(const toml::parse_error& error) {
    std::string_view description = error.description();
    constexpr std::string_view kPrefix = "Error while parsing ";
    if (description.substr(0, kPrefix.size()) == kPrefix) description.remove_prefix(kPrefix.size());
    return "not valid TOML: " + one_line(description, kDescriptionLimit);
}

}  // namespace

const char* kind_name(Value::Kind kind) {
    switch (kind) {
        case Value::Kind::kString:
            return "a string";
        case Value::Kind::kInteger:
            return "an integer";
        case Value::Kind::kFloat:
            return "a floating-point number";
        case Value::Kind::kBoolean:
            return "a boolean";
        case Value::Kind::kTime:
            return "a date or time";
        case Value::Kind::kArray:
            return "an array";
        case Value::Kind::kTable:
            return "a table";
    }
    return "";
}

const Entry* find_entry(const Value& table, std::string_view key) {
    for (const Entry& entry : table.entries) {
        if (entry.key == key) return &entry;
    }
    return nullptr;
}

std::optional<Value> parse_document(const std::string& file, std::string_view text,
                                    Diagnostics& problems) {
    if (const auto flaw = find_flaw(text)) {
        problems.push_back({{file, flaw->where.line, flaw->where.column}, flaw->text});
        return std::nullopt;
    }
    const Converter converter(text);
    const toml::parse_result result = toml::parse(text, std::string_view());
    if (!result) {
        const Position at = converter.where(result.error().source());
        problems.push_back({{file, at.line, at.column}, describe(result.error())});
        return std::nullopt;
    }
    return converter.value(result.table());
}

}  // namespace ration::policy
