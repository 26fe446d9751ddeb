/* An engine of a former version: it has no entry point that today's front knows. */
int ration_engine_attach_of_version_0(void) { return 0; }
