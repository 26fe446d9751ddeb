// The options of `ration run` are put together as the table of a policy and read as one.
#include <algorithm>

#include "shim/policy/amount.h"
#include "shim/policy/draft.h"
#include "shim/policy/read.h"
#include "shim/policy/wording.h"

namespace ration::policy {
namespace {

constexpr const char* kNowhere = "the command line";

Value text_value(std::string_view text) {
    Value value;
    value.kind = Value::Kind::kString;
    value.text = text;
    return value;
}

Value number_value(unsigned number) {
    Value value;
    value.kind = Value::Kind::kInteger;
    value.integer = number;
    return value;
}

std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> items;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t comma = std::min(text.find(',', begin), text.size());
        items.push_back(text.substr(begin, comma - begin));
        begin = comma + 1;
    }
    return items;
}

// Digits alone are an integer, as they are in a policy.
Value list_value(std::string_view text) {
    Value value;
    value.kind = Value::Kind::kArray;
    for (const std::string_view item : split(text)) {
        const auto number = parse_unsigned(item);
        value.items.push_back(number ? number_value(*number) : text_value(item));
    }
    return value;
}

Reading<Value> table_value(std::string_view text) {
    Value value;
    for (const std::string_view item : split(text)) {
        const std::size_t equals = item.find('=');
        if (equals == std::string_view::npos) {
            return {std::nullopt, quote(item) +
                                      " has no equals sign; allowed: NAME=VALUE, "
                                      "separated by commas"};
        }
        value.entries.push_back(
            {std::string(item.substr(0, equals)), {}, text_value(item.substr(equals + 1))});
    }
    return {std::move(value), {}};
}

Reading<Value> value_of(std::string_view text, InlineForm form) {
    switch (form) {
        case InlineForm::kText:
            break;
        case InlineForm::kNumber: {
            const auto number = parse_unsigned(text);
            if (number) return {number_value(*number), {}};
            return {std::nullopt, quote(text) + " is not a number; allowed: digits alone"};
        }
        case InlineForm::kSwitch: {
            if (text != "0" && text != "1") {
                return {std::nullopt, quote(text) + " is neither; allowed: 1 or 0"};
            }
            Value value;
            value.kind = Value::Kind::kBoolean;
            value.boolean = text == "1";
            return {std::move(value), {}};
        }
        case InlineForm::kList:
            return {list_value(text), {}};
        case InlineForm::kTable:
            return table_value(text);
    }
    return {text_value(text), {}};
}

void put(Value& value, Position where) {
    value.where = where;
    for (Value& item : value.items) put(item, where);
    for (Entry& entry : value.entries) {
        entry.where = where;
        put(entry.value, where);
    }
}

class InlineReader {
  public:
    explicit InlineReader(const Inline& options) : options_(options) {}

    Loaded read() {
        Entry table;
        table.where = first_given();
        for (const InlineFlag& flag : kInlineFlags) add(flag, table.value);
        if (!loaded_.problems.empty()) return std::move(loaded_);
        if (!options_.name.empty() && !is_name(options_.name)) {
            problem("--name", quote(options_.name) + "; allowed: " + kNameAllowed);
        }
        Diagnostics mistakes;
        const std::string nowhere = kNowhere;
        Report report(nowhere, mistakes);
        Partition partition = read_partition(kNowhere, kNowhere, table, report);
        for (Diagnostic& mistake : mistakes) tell(std::move(mistake));
        publish(std::move(partition));
        return std::move(loaded_);
    }

  private:
    // The line of a value is the number of its row, from 1.
    static Position row(const InlineFlag& flag) {
        return {static_cast<unsigned>(&flag - std::begin(kInlineFlags)) + 1, 0};
    }

    Position first_given() const {
        const auto* flag =
            std::find_if(std::begin(kInlineFlags), std::end(kInlineFlags),
                         [&](const InlineFlag& each) { return !(options_.*each.value).empty(); });
        return flag == std::end(kInlineFlags) ? Position{} : row(*flag);
    }

    void add(const InlineFlag& flag, Value& table) {
        const std::string& text = options_.*flag.value;
        if (flag.key == nullptr || text.empty()) return;
        Reading<Value> reading = value_of(text, flag.form);
        if (!reading.value) return problem(flag.option, std::move(reading.error));
        put(*reading.value, row(flag));
        table.entries.push_back({flag.key, row(flag), std::move(*reading.value)});
    }

    void problem(const char* option, std::string text) {
        loaded_.problems.push_back({{option, 0, 0}, std::move(text)});
    }

    // "--share: share "140%" is above 100%" would name it twice.
    void tell(Diagnostic mistake) {
        if (mistake.place.line == 0) return problem("ration run", std::move(mistake.text));
        const InlineFlag& flag = kInlineFlags[mistake.place.line - 1];
        const std::string named = std::string(flag.key == nullptr ? "" : flag.key) + " \"";
        const bool twice = mistake.text.compare(0, named.size(), named) == 0;
        problem(flag.option, twice ? mistake.text.substr(named.size() - 1) : mistake.text);
    }

    void publish(Partition partition) {
        partition.name = "partition." + (options_.name.empty() ? "run" : options_.name);
        partition.place = {kNowhere, 0, 0};
        Rule rule;
        rule.place = partition.place;
        rule.use = {Use::Kind::kPartition, partition.name, partition.place};
        loaded_.policy.rules.push_back(std::move(rule));
        loaded_.policy.partitions.emplace(partition.name, std::move(partition));
    }

    const Inline& options_;
    Loaded loaded_;
};

}  // namespace

Loaded read_inline(const Inline& options) {
    try {
        return InlineReader(options).read();
    } catch (...) {  // nothing but a want of memory throws
        Loaded failed;
        failed.problems.push_back({{}, "no memory to read the flags"});
        return failed;
    }
}

}  // namespace ration::policy
