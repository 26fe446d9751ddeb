#include "shim/engine/node_locks.h"

#include <stdlib.h>
#include <unistd.h>

#include <optional>

#include "shim/state/scope.h"

namespace ration::engine {
namespace {

state::Scope scope_of(policy::Scope scope) {
    switch (scope) {
        case policy::Scope::kSlot:
            return state::Scope::kSlot;
        case policy::Scope::kUser:
            return state::Scope::kUser;
        case policy::Scope::kCgroup:
            return state::Scope::kCgroup;
        case policy::Scope::kProcess:
            break;
    }
    return state::Scope::kProcess;
}

}  // namespace

state::LockPlace lock_place() {
    const char* const value = getenv("RATION_RUNTIME_DIR");
    return state::lock_place(value == nullptr ? std::nullopt : std::optional<std::string>(value),
                             true);
}

std::string scope_key(policy::Scope scope, const std::string& slot, const std::string& cgroup) {
    if (scope == policy::Scope::kProcess) return {};
    return state::scope_key(scope_of(scope), slot, geteuid(), cgroup, state::this_namespaces());
}

}  // namespace ration::engine
