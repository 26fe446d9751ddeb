// Processes that the policy can be asked about without being them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "shim/policy/search.h"
#include "shim/policy/subject.h"
#include "tools/ration/program.h"

namespace ration::tool {

// A subject whose answers are all known beforehand.
class KnownSubject : public policy::Subject {
  public:
    struct Identity {
        std::string exe, script, argv, cgroup, host;
        uid_t uid = 0;
        std::vector<gid_t> groups;
        policy::Environment environment;
    };
    explicit KnownSubject(Identity identity) : identity_(std::move(identity)) {}

    const std::string& exe() const override { return identity_.exe; }
    const std::string& script() const override { return identity_.script; }
    const std::string& argv() const override { return identity_.argv; }
    std::optional<std::string> env(const std::string& name) const override {
        return identity_.environment(name);
    }
    uid_t uid() const override { return identity_.uid; }
    const std::vector<gid_t>& groups() const override { return identity_.groups; }
    const std::string& cgroup() const override { return identity_.cgroup; }
    const std::string& host() const override { return identity_.host; }

  private:
    Identity identity_;
};

// A command that would be started here: its executable and arguments after "#!" lines, everything
// else as this process has it.
KnownSubject subject_of_command(const Program& program, policy::Environment environment);

// A running process. Its environment is the one that it was started with; what it has set since
// cannot be seen from outside. Failure(kFailed) if there is no such process or we may not look.
KnownSubject subject_of_process(pid_t pid);

}  // namespace ration::tool
