#include "shim/policy/amount.h"
#include "shim/policy/decide.h"

namespace ration::policy {

std::optional<Rank> local_rank(const Subject& subject) {
    for (const char* variable : kRankVariables) {
        auto text = subject.env(variable);
        if (!text || text->empty()) continue;
        const auto number = parse_unsigned(*text);
        return Rank{variable, std::move(*text), number};
    }
    return std::nullopt;
}

}  // namespace ration::policy
