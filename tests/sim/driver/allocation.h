// Host memory that stands for the device's.
#pragma once
#include <cstddef>

namespace sim {

constexpr std::size_t round_up(std::size_t bytes, std::size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

// Address space without memory behind it until it is touched, or null. A whole number of pages.
void* map_host(std::size_t bytes);
std::size_t whole_pages(std::size_t bytes);

}  // namespace sim
