#include "tools/ration/env_line.h"

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <string_view>

namespace ration::tool {
namespace {

using Words = std::deque<std::string>;

constexpr std::string_view kBlanks = " \t\n\v\f\r";

bool is_blank(char byte) { return kBlanks.find(byte) != std::string_view::npos; }

// Splits the value of -S, with its quotes and escapes.
class Splitter {
  public:
    explicit Splitter(std::string_view text) : text_(text) {}

    // nullopt for what env refuses, and for ${NAME}, whose value env alone knows.
    std::optional<Words> split() {
        while (!ended_ && !bad_ && at_ < text_.size()) step();
        if (bad_ || quote_ != '\0') return std::nullopt;
        end_word();
        return std::move(words_);
    }

  private:
    void step() {
        const char byte = text_[at_++];
        if (byte == '\\') return escape();
        if (quote_ != '\0') return byte == quote_ ? void(quote_ = '\0') : within_quotes(byte);
        if (byte == '\'' || byte == '"') {
            quote_ = byte;
            in_word_ = true;
        } else if (is_blank(byte)) {
            end_word();
        } else if (byte == '#' && !in_word_) {
            ended_ = true;
        } else {
            within_quotes(byte);
        }
    }

    void within_quotes(char byte) {
        bad_ = byte == '$' && quote_ != '\'';
        put(byte);
    }

    void escape() {
        if (at_ == text_.size()) return void(bad_ = true);
        const char byte = text_[at_++];
        if (quote_ == '\'' && byte != '\'' && byte != '\\') {
            put('\\');
            return put(byte);
        }
        if (byte == '_' && quote_ == '\0') return end_word();
        if (byte == 'c' && quote_ == '\0') return void(ended_ = true);
        constexpr std::string_view kNames = "fnrtv_\"'#$\\";
        constexpr std::string_view kBytes = "\f\n\r\t\v \"'#$\\";
        const auto known = kNames.find(byte);
        if (known == std::string_view::npos) return void(bad_ = true);
        put(kBytes[known]);
    }

    void put(char byte) {
        word_ += byte;
        in_word_ = true;
    }

    void end_word() {
        if (in_word_) words_.push_back(std::move(word_));
        word_.clear();
        in_word_ = false;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    char quote_ = '\0';
    bool in_word_ = false, ended_ = false, bad_ = false;
    std::string word_;
    Words words_;
};

// An option that is a letter, a long name, or both.
struct Option {
    char letter;
    std::string_view name;
    enum { kNone, kOptional, kRequired } value;
};
constexpr std::array<Option, 10> kOptions{{
    {'i', "ignore-environment", Option::kNone},
    {'0', "null", Option::kNone},
    {'v', "debug", Option::kNone},
    {'u', "unset", Option::kRequired},
    {'C', "chdir", Option::kRequired},
    {'a', "argv0", Option::kRequired},
    {'S', "split-string", Option::kRequired},
    {'\0', "block-signal", Option::kOptional},
    {'\0', "default-signal", Option::kOptional},
    {'\0', "ignore-signal", Option::kOptional},
}};

class EnvLine {
  public:
    explicit EnvLine(const std::string& argument) : words_{argument} {}

    std::vector<std::string> command() {
        bool options = true;
        while (options && understood_ && !words_.empty()) options = take_option();
        while (understood_ && !words_.empty() && words_[0].find('=') != std::string::npos) {
            moved_path_ = moved_path_ || words_[0].compare(0, 5, "PATH=") == 0;
            words_.pop_front();
        }
        if (!understood_ || words_.empty() || elsewhere(words_[0])) return {};
        return {words_.begin(), words_.end()};
    }

  private:
    // False at the first word that is none; it stays.
    bool take_option() {
        const std::string word = words_[0];
        if (word.size() < 2 || word[0] != '-') {
            if (word != "-") return false;
            words_.pop_front();  // the same as -i
            moved_path_ = true;
            return true;
        }
        words_.pop_front();
        if (word == "--") return false;
        word[1] == '-' ? take_long(word.substr(2)) : take_letters(word.substr(1));
        return true;
    }

    void take_long(const std::string& text) {
        const auto equals = text.find('=');
        const std::string name = text.substr(0, equals);
        const auto* option = std::find_if(kOptions.begin(), kOptions.end(),
                                          [&](const Option& o) { return o.name == name; });
        if (option == kOptions.end()) return void(understood_ = false);
        const bool valued = equals != std::string::npos;
        if (valued && option->value == Option::kNone) return void(understood_ = false);
        if (valued || option->value != Option::kRequired) {
            return apply(*option, valued ? text.substr(equals + 1) : "");
        }
        apply_to_next(*option);
    }

    void take_letters(const std::string& letters) {
        for (std::size_t at = 0; at < letters.size() && understood_; ++at) {
            const auto* option =
                std::find_if(kOptions.begin(), kOptions.end(),
                             [&](const Option& o) { return o.letter == letters[at]; });
            if (option == kOptions.end()) return void(understood_ = false);
            if (option->value == Option::kRequired) {
                const std::string value = letters.substr(at + 1);
                return value.empty() ? apply_to_next(*option) : apply(*option, value);
            }
            apply(*option, "");
        }
    }

    void apply_to_next(const Option& option) {
        if (words_.empty()) return void(understood_ = false);
        const std::string value = words_[0];
        words_.pop_front();
        apply(option, value);
    }

    void apply(const Option& option, const std::string& value) {
        switch (option.letter) {
            case 'S':
                return split(value);
            case 'u':
                moved_path_ = moved_path_ || value == "PATH";
                return;
            case 'i':
                moved_path_ = true;
                return;
            case 'C':
                moved_folder_ = true;
                return;
            case 'a':  // the process would have another name than its program
                understood_ = false;
                return;
            default:
                return;
        }
    }

    void split(const std::string& value) {
        const auto words = Splitter(value).split();
        if (!words) return void(understood_ = false);
        words_.insert(words_.begin(), words->begin(), words->end());
    }

    bool elsewhere(const std::string& program) const {
        const bool bare = program.find('/') == std::string::npos;
        return program.empty() || (bare && moved_path_) || (program[0] != '/' && moved_folder_);
    }

    Words words_;
    bool understood_ = true, moved_path_ = false, moved_folder_ = false;
};

}  // namespace

std::vector<std::string> env_command(const std::string& argument) {
    return argument.empty() ? std::vector<std::string>{} : EnvLine(argument).command();
}

}  // namespace ration::tool
