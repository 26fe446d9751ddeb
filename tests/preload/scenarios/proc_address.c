/* cuGetProcAddress, both versions: the driver's answer with hooked addresses swapped, nothing else.
 */
#include "scenario.h"

typedef int (*GetV1)(const char*, void**, int, unsigned long long);
typedef int (*GetV2)(const char*, void**, int, unsigned long long, int*);

int main(void) {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    struct fake_driver* counts = (struct fake_driver*)dlsym(driver, "fake_driver");
    GetV2 get = (GetV2)dlsym(driver, "cuGetProcAddress_v2");
    CHECK(lies_in((void*)get, "libration.so"));
    void* found = NULL;
    int status = 99;

    CHECK(get("cuInit", &found, 12000, 2, &status) == 0 && status == 0);
    CHECK(lies_in(found, "libration.so") && counts->flags == 2);
    int (*init)(unsigned) = (int (*)(unsigned))found;

    /* Each version of a family has a jump of its own. */
    void* versions[3] = {0};
    CHECK(get("cuCtxCreate", &versions[0], 2000, 0, NULL) == 0);
    CHECK(get("cuCtxCreate", &versions[1], 4000, 0, NULL) == 0);
    CHECK(get("cuCtxCreate", &versions[2], 12000, 0, NULL) == 0);
    CHECK(versions[0] == dlsym(driver, "cuCtxCreate"));
    CHECK(versions[1] == dlsym(driver, "cuCtxCreate_v2"));
    CHECK(versions[2] == dlsym(driver, "cuCtxCreate_v3"));
    CHECK(lies_in(versions[2], "libration.so"));

    /* One that has its family's name and its own. */
    void* const graph = dlsym(driver, "cuGraphInstantiateWithFlags");
    CHECK(lies_in(graph, "libration.so"));
    CHECK(get("cuGraphInstantiate", &found, 12000, 0, NULL) == 0 && found == graph);
    CHECK(get("cuGraphInstantiateWithFlags", &found, 12000, 0, NULL) == 0 && found == graph);

    /* Not hooked: the driver's own, never null; folded into a hooked body: still its own. */
    CHECK(get("cuDriverGetVersion", &found, 12000, 0, &status) == 0 &&
          lies_in(found, "libcuda.so.1"));
    CHECK(get("cuModuleUnload", &found, 12000, 0, &status) == 0 && lies_in(found, "libcuda.so.1"));
    CHECK(get("cuCtxPushCurrent", &found, 12000, 0, &status) == 0 &&
          lies_in(found, "libration.so"));

    /* Failures are the driver's. */
    CHECK(get("cuNope", &found, 12000, 0, &status) == 0 && status == 1 && found == NULL);
    CHECK(get("cuCtxSetCurrent", &found, 3020, 0, &status) == 0 && status == 2 && found == NULL);
    found = (void*)&status;
    CHECK(get("cuInit", &found, 14000, 0, &status) == 1 && found == (void*)&status);
    CHECK(get("cuCtxCreate_v2", &found, 12000, 0, &status) == 0 && found == NULL);

    /* It hands out itself, and its first version. */
    CHECK(get("cuGetProcAddress", &found, 12000, 0, NULL) == 0 && found == (void*)get);
    CHECK(get("cuGetProcAddress", &found, 11030, 0, NULL) == 0);
    CHECK(found == dlsym(driver, "cuGetProcAddress") && lies_in(found, "libration.so"));
    GetV1 get_v1 = (GetV1)found;
    CHECK(get_v1("cuInit", &found, 11040, 0) == 0 && found == (void*)init);
    found = (void*)&status;
    CHECK(get_v1("cuNope", &found, 11040, 0) == 500 && found == (void*)&status);

    CHECK(!is_mapped("libration-engine.so"));
    CHECK(init(0) == 0);
    CHECK(engine()->attached == 1 && engine()->hooked == 1);
    CHECK(get("cuCtxCreate", &found, 12000, 0, NULL) == 0 && lies_in(found, "libcuda.so.1"));
    CHECK(get("cuCtxSetCurrent", &found, 12000, 0, NULL) == 0 && lies_in(found, "libration.so"));
    return 0;
}
