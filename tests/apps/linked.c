/* Route 1: linked against libcuda, as programs of the driver API are. */
#include "tests/apps/app.h"

#define APP_ADDRESS(name) .name = &name,

int main(int argc, char** argv) {
    const struct driver driver = {APP_CALLS(APP_ADDRESS)};
    return app_main(&driver, "linked", argc, argv);
}
