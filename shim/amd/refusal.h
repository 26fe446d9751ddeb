// Why a grant cannot be had.
#pragma once

#include <string>
#include <variant>

namespace ration::amd {

struct Refusal {
    std::string line;        // what is wrong and what to do, without "ration: "
    bool no_device = false;  // a device that is not there or not allowed
};

// A value, or why there is none.
template <class T>
using Or = std::variant<T, Refusal>;

template <class T>
const Refusal* refusal_of(const Or<T>& result) {
    return std::get_if<Refusal>(&result);
}

}  // namespace ration::amd
