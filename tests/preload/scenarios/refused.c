/* The engine is missing, of another version, or refuses: calls fail with its code, the program
 * lives. */
#include "scenario.h"

int main(void) {
    const int code = atoi(getenv("SCENARIO_CODE"));
    CHECK(cuInit(0) == code);
    CHECK(cuInit(0) == code);
    CHECK(cuCtxSetCurrent(NULL) == code);
    CHECK(fake_driver.init == (code == 0 ? 2 : 0));
    int version = 0;
    CHECK(cuDriverGetVersion(&version) == 0 && version == 13000);
    return 0;
}
