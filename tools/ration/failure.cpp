#include "tools/ration/failure.h"

#include <system_error>

namespace ration::tool {

std::string with_errno(const std::string& text, int error) {
    return text + ": " + std::generic_category().message(error);
}

}  // namespace ration::tool
