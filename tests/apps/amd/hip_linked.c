/* Linked against libamdhip64, as hipcc does. */
#include "tests/apps/amd/hip_app.h"

#define ADDRESS(name) .name = &name,

int main(int argc, char** argv) {
    const struct hip hip = {HIP_APP_CALLS(ADDRESS)};
    return hip_app_main(&hip, "linked", argc, argv);
}
