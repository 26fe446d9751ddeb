#include "tools/ration/launch.h"

#include <algorithm>

#include "tools/ration/failure.h"
#include "tools/ration/output.h"
#include "tools/ration/preload.h"

namespace ration::tool {

namespace {

// RATION_USE alone chooses under a locked site policy.
void drop_what_has_no_effect(Changes& changes) {
    changes.unset.clear();
    changes.set.erase(
        std::remove_if(changes.set.begin(), changes.set.end(),
                       [](const auto& change) { return change.first != "RATION_USE"; }),
        changes.set.end());
}

}  // namespace

Launch prepare_launch(const ShareOptions& options) {
    Launch launch;
    launch.changes = changes_of(options);
    launch.found = find_sound_policy(changed_environment(launch.changes));
    launch.library = library_path();
    switch (launch.found.kind) {
        case policy::Found::Kind::kNone:
            throw Failure(
                kUsage,
                "no policy found, so nothing would be confined: give --share, --cu, "
                "--cu-mask, --memory, --device or --mig, or name a policy with --policy FILE");
        case policy::Found::Kind::kDisabled:
            complain("RATION_DISABLE is set, so the program will not be confined; unset it");
            break;
        case policy::Found::Kind::kPolicy:
            if (launch.found.locked_out) {
                drop_what_has_no_effect(launch.changes);
                complain("the site's policy " + launch.found.loaded.policy.files.front() +
                         " is locked: it decides, and flags and RATION_POLICY have no effect; "
                         "choose with --use what its may_use offers");
            }
            break;
    }
    return launch;
}

}  // namespace ration::tool
