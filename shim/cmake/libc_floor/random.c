/* For std::random_device (glibc 2.36). */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

int getentropy(void* buffer, size_t length);

uint32_t arc4random(void) {
    uint32_t value;
    if (getentropy(&value, sizeof value) != 0) abort();
    return value;
}
