// The process that is being matched: its identity as it is now.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ration::policy {

// Every answer is computed when it is first asked for: reading /proc costs microseconds and most
// rules need one or two keys.
class Subject {
  public:
    virtual ~Subject() = default;
    virtual const std::string& exe() const = 0;     // resolved path; empty if unknown
    virtual const std::string& script() const = 0;  // empty if no interpreter runs a script
    virtual const std::string& argv() const = 0;    // joined by single spaces
    virtual std::optional<std::string> env(const std::string& name) const = 0;
    virtual uid_t uid() const = 0;
    virtual const std::vector<gid_t>& groups() const = 0;  // effective and supplementary
    virtual const std::string& cgroup() const = 0;
    virtual const std::string& host() const = 0;
};

// This process. The environment is read with getenv at each call, so that what a worker sets on
// itself before its first GPU call counts.
const Subject& this_process();

// The path of a process's cgroup in what /proc/PID/cgroup says (proc_pid_cgroup(5)): that of
// version 2, else that of the first hierarchy of version 1. Empty if there is none.
std::string cgroup_of(std::string_view text);

// First script argument among `arguments` if arguments[0] or `exe` names a known interpreter
// (python*, perl, ruby, bash, sh, julia, Rscript, node, lua*); "-c" and "-m NAME" give "-c" and
// "-m NAME", and so does an inline program's option of the others ("-e"). Empty otherwise.
std::string script_of(const std::string& exe, const std::vector<std::string>& arguments);

}  // namespace ration::policy
