// list() with the places as an argument.
#pragma once

#include "shim/state/directory.h"

namespace ration::state {

std::vector<Listed> list_in(const Places& places, const RuntimeDirectory& directory,
                            std::vector<std::string>* notes);

}  // namespace ration::state
