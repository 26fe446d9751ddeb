#include "tools/ration/subjects.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>

#include "tools/ration/failure.h"

namespace ration::tool {
namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        text += (&word == &words.front() ? "" : " ") + word;
    }
    return text;
}

// A file of /proc/PID as a whole; nullopt if it may not be read.
std::optional<std::string> proc_file(pid_t pid, const char* name) {
    std::ifstream in(fmt::format("/proc/{}/{}", pid, name), std::ios::binary);
    if (!in) {
        return std::nullopt;
    }
    return std::string(std::istreambuf_iterator<char>(in), {});
}

std::vector<std::string> zero_separated(const std::string& text) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find('\0', begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

policy::Environment environment_of(const std::string& block) {
    auto variables = std::make_shared<std::map<std::string, std::string>>();
    for (const std::string& entry : zero_separated(block)) {
        const auto equals = entry.find('=');
        if (equals != std::string::npos) {
            variables->emplace(entry.substr(0, equals), entry.substr(equals + 1));
        }
    }
    return [variables](const std::string& name) -> std::optional<std::string> {
        const auto found = variables->find(name);
        return found == variables->end() ? std::nullopt : std::optional(found->second);
    };
}

// Effective uid, effective gid and supplementary groups, as proc_pid_status(5) lists them.
void read_credentials(const std::string& status, KnownSubject::Identity& identity) {
    std::istringstream lines(status);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string key;
        unsigned real = 0;
        unsigned effective = 0;
        words >> key;
        if (key == "Uid:" && words >> real >> effective) {
            identity.uid = effective;
        } else if (key == "Gid:" && words >> real >> effective) {
            identity.groups.push_back(effective);
        } else if (key == "Groups:") {
            for (unsigned group = 0; words >> group;) {
                identity.groups.push_back(group);
            }
        }
    }
}

}  // namespace

KnownSubject subject_of_command(const Program& program, policy::Environment environment) {
    const policy::Subject& here = policy::this_process();
    KnownSubject::Identity identity;
    std::error_code error;
    const auto resolved = std::filesystem::canonical(program.loaded(), error);
    identity.exe = error ? program.loaded() : resolved.string();
    identity.script = policy::script_of(identity.exe, program.arguments);
    identity.argv = joined(program.arguments);
    identity.cgroup = here.cgroup();
    identity.host = here.host();
    identity.uid = here.uid();
    identity.groups = here.groups();
    identity.environment = std::move(environment);
    return KnownSubject(std::move(identity));
}

KnownSubject subject_of_process(pid_t pid) {
    const auto status = proc_file(pid, "status");
    if (!status) {
        throw Failure(
            kFailed,
            fmt::format(
                "there is no process {}; `ration ps --recent` lists those that left a record",
                pid));
    }
    const auto environment = proc_file(pid, "environ");
    const auto command = proc_file(pid, "cmdline");
    std::error_code error;
    const auto exe = std::filesystem::read_symlink(fmt::format("/proc/{}/exe", pid), error);
    if (!environment || !command || error) {
        throw Failure(
            kFailed,
            fmt::format(
                "process {} is not yours, so its identity cannot be read: ask as its user or "
                "as root",
                pid));
    }
    KnownSubject::Identity identity;
    const std::vector<std::string> arguments = zero_separated(*command);
    identity.exe = exe.string();
    identity.script = policy::script_of(identity.exe, arguments);
    identity.argv = joined(arguments);
    identity.cgroup = policy::cgroup_of(proc_file(pid, "cgroup").value_or(""));
    identity.host = policy::this_process().host();
    read_credentials(*status, identity);
    identity.environment = environment_of(*environment);
    return KnownSubject(std::move(identity));
}

}  // namespace ration::tool
