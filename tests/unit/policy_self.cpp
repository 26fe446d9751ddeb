// Says who it is, after it has removed its own file: a program that was replaced while it runs.
#include <unistd.h>

#include <cstdio>

#include "shim/policy/subject.h"

int main(int /*count*/, char** arguments) {
    if (unlink(arguments[0]) != 0) return 1;
    const ration::policy::Subject& self = ration::policy::this_process();
    std::printf("%s|%s|%s\n", self.exe().c_str(), self.argv().c_str(), self.script().c_str());
    return 0;
}
