// The few string functions that run on look-up paths, without libc.
//
// A sanitizer's runtime looks up the functions that it intercepts by dlsym, strcmp among them,
// while it starts: a dlsym that called strcmp would be called back by an interceptor that is not
// ready.
#pragma once

namespace ration::text {

inline bool equal(const char* a, const char* b) {
    for (; *a == *b; ++a, ++b) {
        if (*a == '\0') return true;
    }
    return false;
}

}  // namespace ration::text
