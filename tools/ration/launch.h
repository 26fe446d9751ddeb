// What `run` and `env` have in common: the options, checked, as a changed environment.
#pragma once

#include <string>

#include "tools/ration/share_options.h"

namespace ration::tool {

struct Launch {
    std::string library;  // full path of libration.so
    Changes changes;      // without LD_PRELOAD
    policy::Found found;  // the policy that the program will find
};

// Checks options, policy and installation. Throws Failure. Says on stderr what will keep the
// options from having an effect: RATION_DISABLE, or a locked site policy.
Launch prepare_launch(const ShareOptions& options);

}  // namespace ration::tool
