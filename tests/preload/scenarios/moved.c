/* LD_PRELOAD=./libration.so and a program that changes its folder: the engine is still found. */
#include "scenario.h"

int main(int count, char** arguments) {
    if (count == 1) {
        CHECK(chdir(getenv("SCENARIO_STAGE")) == 0);
        setenv("LD_PRELOAD", "./libration.so", 1);
        execl("/proc/self/exe", arguments[0], "again", (char*)NULL);
        return 1;
    }
    CHECK(chdir("/") == 0);
    CHECK(cuInit(0) == 0);
    CHECK(engine()->attached == 1);
    return 0;
}
