// The rows of hooks.def by name: a table that the compiler makes, without relocations, and a search
// that calls nothing (see text.h). Most names that programs look up are none of ours and leave
// early.
#pragma once

#include <stdint.h>

#include <bit>

#include "shim/preload/hooks.h"

namespace ration::front {

// `Length` gives how much of a row's symbol is the name that it is found by.
template <unsigned (*Length)(const HookRow& row)>
class RowsByName {
  public:
    consteval RowsByName() {
        for (unsigned row = 0; row < kRowCount; ++row) {
            const HookRow& here = kHookRows[row];
            Hash hash;
            for (unsigned i = 0; i < Length(here); ++i) hash.add(here.symbol[i]);
            unsigned place = hash.place();
            while (rows_[place] != 0) place = after(place);
            rows_[place] = static_cast<uint16_t>(row + 1);
            first_letters_ |= letter(here.symbol[0]);
        }
    }

    // The first row of that name for which wanted(row) is true, or -1.
    template <class Condition>
    int find(const char* name, Condition wanted) const {
        if ((first_letters_ & letter(name[0])) == 0) return -1;
        Hash hash;
        for (const char* rest = name; *rest != '\0'; ++rest) hash.add(*rest);
        for (unsigned place = hash.place(); rows_[place] != 0; place = after(place)) {
            const unsigned row = rows_[place] - 1U;
            if (is_name_of(kHookRows[row], name) && wanted(row)) return static_cast<int>(row);
        }
        return -1;
    }
    int find(const char* name) const {
        return find(name, [](unsigned) { return true; });
    }

  private:
    static constexpr unsigned kPlaces = std::bit_ceil(2 * kRowCount);

    static constexpr unsigned after(unsigned place) { return (place + 1) % kPlaces; }
    static constexpr uint32_t letter(char first) { return uint32_t{1} << (first & 31); }

    // FNV-1a.
    struct Hash {
        uint32_t value = 2166136261U;
        constexpr void add(char letter) {
            value = (value ^ static_cast<unsigned char>(letter)) * 16777619U;
        }
        constexpr unsigned place() const { return (value ^ value >> 16) % kPlaces; }
    };

    static bool is_name_of(const HookRow& row, const char* name) {
        const unsigned length = Length(row);
        for (unsigned i = 0; i < length; ++i) {
            if (row.symbol[i] != name[i]) return false;
        }
        return name[length] == '\0';
    }

    uint16_t rows_[kPlaces] = {};  // a row's number + 1; 0: none
    uint32_t first_letters_ = 0;
};

constexpr unsigned symbol_length(const HookRow& row) {
    unsigned length = 0;
    while (row.symbol[length] != '\0') ++length;
    return length;
}
constexpr unsigned family_length(const HookRow& row) { return row.family_length; }

inline constexpr RowsByName<symbol_length> kRowsBySymbol;
inline constexpr RowsByName<family_length> kRowsByFamily;

}  // namespace ration::front
