// Why a grant cannot be had.
#pragma once

#include <string>
#include <variant>

#include "shim/cuda/api.h"

namespace ration::cuda {

struct Refusal {
    CUresult code = CUDA_ERROR_NOT_PERMITTED;  // what the program's call is to answer
    std::string line;                          // what is wrong and what to do, without "ration: "
};

// A value, or why there is none.
template <class T>
using Or = std::variant<T, Refusal>;

template <class T>
const Refusal* refusal_of(const Or<T>& result) {
    return std::get_if<Refusal>(&result);
}

}  // namespace ration::cuda
