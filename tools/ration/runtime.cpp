#include "tools/ration/runtime.h"

#include <fmt/core.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

#include "tools/ration/share_options.h"

namespace ration::tool {
namespace {

const char* kind_name(state::RuntimeDirectory::Kind kind) {
    switch (kind) {
        case state::RuntimeDirectory::Kind::kSystem:
            return "system";
        case state::RuntimeDirectory::Kind::kUser:
            return "user";
        case state::RuntimeDirectory::Kind::kOverride:
            return "override";
        case state::RuntimeDirectory::Kind::kNone:
            break;
    }
    return "none";
}

std::string formatted_time(const char* format, const tm& time) {
    std::array<char, 32> text{};
    return {text.data(), strftime(text.data(), text.size(), format, &time)};
}

}  // namespace

state::RuntimeDirectory runtime_directory(bool create) {
    return state::runtime_directory(geteuid(), own_environment("RATION_RUNTIME_DIR"), create);
}

std::string describe(const state::RuntimeDirectory& directory) {
    if (directory.kind == state::RuntimeDirectory::Kind::kNone) {
        return "none: " + directory.why;
    }
    std::string text = fmt::format("{} ({})", directory.root, kind_name(directory.kind));
    return directory.why.empty() ? text : text + "; " + directory.why;
}

Json to_json(const state::RuntimeDirectory& directory) {
    return {{"kind", kind_name(directory.kind)},
            {"path", directory.path},
            {"root", directory.root},
            {"why", directory.why}};
}

std::string user_name(uid_t uid) {
    const passwd* entry = getpwuid(uid);
    return entry == nullptr ? std::to_string(uid) : entry->pw_name;
}

std::string size_text(std::uint64_t bytes) {
    constexpr double kMebi = 1024.0 * 1024.0;
    const double mebi = static_cast<double>(bytes) / kMebi;
    const bool large = mebi >= 1024.0;
    const double value = large ? mebi / 1024.0 : mebi;
    const std::string text = fmt::format("{:.1f}", value);
    const bool whole = text.ends_with(".0");
    return (whole ? text.substr(0, text.size() - 2) : text) + (large ? " GiB" : " MiB");
}

std::string local_time(std::int64_t seconds) {
    const auto when = static_cast<time_t>(seconds);
    tm time{};
    localtime_r(&when, &time);
    return formatted_time("%Y-%m-%d %H:%M:%S", time);
}

std::string utc_time(std::int64_t seconds) {
    const auto when = static_cast<time_t>(seconds);
    tm time{};
    gmtime_r(&when, &time);
    return formatted_time("%Y-%m-%dT%H:%M:%SZ", time);
}

}  // namespace ration::tool
