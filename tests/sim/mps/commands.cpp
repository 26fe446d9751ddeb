#include "tests/sim/mps/commands.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <sstream>

namespace sim::mps {
namespace {

using Words = std::vector<std::string>;

std::string line(const std::string& text) { return text.empty() ? "" : text + "\n"; }

// The server is no process of its own here: it goes by the daemon's number.
std::string server_list(const Registry& registry) {
    return registry.server ? line(std::to_string(getpid())) : "";
}

bool is_server(const Registry& registry, const Words& words) {
    return words.size() > 1 && registry.server && std::atoi(words[1].c_str()) == getpid();
}

std::string about_server(const Registry& registry, const Words& words, const std::string& answer) {
    if (words.size() < 2) return "A server PID is required\n";
    return is_server(registry, words) ? line(answer) : line("Server " + words[1] + " not found");
}

// "8G" for "8192M" (measured: H100, driver 580.159.04).
std::string in_largest_unit(const std::string& limit) {
    const int mebibytes = std::atoi(limit.c_str());
    const bool whole =
        !limit.empty() && limit.back() == 'M' && mebibytes > 0 && mebibytes % 1024 == 0;
    return whole ? std::to_string(mebibytes / 1024) + "G" : limit;
}

std::string row(const std::array<std::string, 6>& cells) {
    std::array<char, 512> text{};
    std::snprintf(text.data(), text.size(), "%-10s%-10s%-15s%-26s%-15s%-15s\n", cells[0].c_str(),
                  cells[1].c_str(), cells[2].c_str(), cells[3].c_str(), cells[4].c_str(),
                  cells[5].c_str());
    return text.data();
}

std::string ps(const Registry& registry) {
    if (!registry.server) return "Server not found\n";
    constexpr std::size_t kUuidShown = 22;
    std::map<int, std::string> rows;  // in the order of the context ids
    for (const auto& [fd, client] : registry.clients) {
        for (const auto& [id, uuid] : client.contexts) {
            rows[id] =
                row({std::to_string(client.pid), std::to_string(id), std::to_string(getpid()),
                     uuid.substr(0, kUuidShown), client.name_space, client.command});
        }
    }
    if (rows.empty()) return "";
    std::string text = row({"PID", "ID", "SERVER", "DEVICE", "NAMESPACE", "COMMAND"});
    for (const auto& [id, line_of_id] : rows) text += line_of_id;
    return text;
}

std::string client_list(const Registry& registry) {
    std::set<pid_t> pids;
    for (const auto& [fd, client] : registry.clients) {
        if (!client.contexts.empty()) pids.insert(client.pid);
    }
    std::string text;
    for (const pid_t pid : pids) text += line(std::to_string(pid));
    return text;
}

// An impossible value changes nothing; the answer is what holds now.
std::string set_percentage(double& percentage, const std::string& value) {
    const double number = std::strtod(value.c_str(), nullptr);
    if (number > 0 && number <= 100) percentage = number;
    return line(percentage_text(percentage));
}

std::string default_limit(const Registry& registry, const std::string& device) {
    const auto found = registry.defaults.memory.find(device);
    return found != registry.defaults.memory.end() ? line(found->second) : "";
}

std::string argument(const Words& words, std::size_t index) {
    return index < words.size() ? words[index] : "";
}

}  // namespace

Outcome run_command(Registry& registry, const std::string& text) {
    std::istringstream stream(text);
    Words words;
    for (std::string word; stream >> word;) words.push_back(word);
    const std::string name = argument(words, 0);
    if (name.empty()) return {};
    if (name == "quit") return {.text = "", .quit = true};
    if (name == "get_server_list") return {.text = server_list(registry)};
    if (name == "ps") return {.text = ps(registry)};
    if (name == "get_device_client_list") return {};
    if (name == "get_server_status") return {.text = about_server(registry, words, "ACTIVE")};
    if (name == "get_client_list") {
        if (!is_server(registry, words)) return {.text = about_server(registry, words, "")};
        return {.text = client_list(registry)};
    }
    if (name == "get_default_active_thread_percentage") {
        return {.text = line(percentage_text(registry.defaults.percentage))};
    }
    if (name == "set_default_active_thread_percentage") {
        return {.text = set_percentage(registry.defaults.percentage, argument(words, 1))};
    }
    if (name == "get_active_thread_percentage") {
        const double now = registry.server.value_or(registry.defaults).percentage;
        return {.text = about_server(registry, words, percentage_text(now))};
    }
    if (name == "set_active_thread_percentage") {
        if (!is_server(registry, words)) return {.text = about_server(registry, words, "")};
        return {.text = set_percentage(registry.server->percentage, argument(words, 2))};
    }
    if (name == "get_default_device_pinned_mem_limit") {
        return {.text = default_limit(registry, argument(words, 1))};
    }
    if (name == "set_default_device_pinned_mem_limit") {
        if (words.size() == 3) registry.defaults.memory[words[1]] = in_largest_unit(words[2]);
        return {};
    }
    if (name == "terminate_client") {
        const auto pid = static_cast<pid_t>(std::atoi(argument(words, 2).c_str()));
        return {.text = "", .quit = false, .terminated = registry.find(pid)};
    }
    return {.text = "Unknown command \"" + name + "\"\n"};
}

}  // namespace sim::mps
