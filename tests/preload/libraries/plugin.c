/* A plugin that programs load with RTLD_LOCAL, with names that a careless prefix match would catch.
 */
#include <dlfcn.h>
#include <stddef.h>

int curl_easy_init(void) { return 1; }
int cudnnCreate(void) { return 2; }
int cuInitialise(void) { return 3; }
int cuIni(void) { return 4; }
int cuCtxSetCurrent(void* context) { return context == NULL ? 5 : 6; }

int plugin_finds_by_default(const char* name) { return dlsym(RTLD_DEFAULT, name) != NULL; }
