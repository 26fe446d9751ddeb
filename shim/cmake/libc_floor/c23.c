/* On glibc 2.38 and newer <stdlib.h> and <stdio.h> turn these names into those of C23, which also
 * read 0b101. We read no such numbers. */
#include <stdarg.h>
#include <stddef.h>

long strtol(const char*, char**, int);
unsigned long strtoul(const char*, char**, int);
long long strtoll(const char*, char**, int);
unsigned long long strtoull(const char*, char**, int);
int vsscanf(const char*, const char*, va_list);

long __isoc23_strtol(const char* text, char** end, int base) { return strtol(text, end, base); }
unsigned long __isoc23_strtoul(const char* text, char** end, int base) {
    return strtoul(text, end, base);
}
long long __isoc23_strtoll(const char* text, char** end, int base) {
    return strtoll(text, end, base);
}
unsigned long long __isoc23_strtoull(const char* text, char** end, int base) {
    return strtoull(text, end, base);
}
int __isoc23_vsscanf(const char* text, const char* format, va_list arguments) {
    return vsscanf(text, format, arguments);
}
int __isoc23_sscanf(const char* text, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int result = vsscanf(text, format, arguments);
    va_end(arguments);
    return result;
}
