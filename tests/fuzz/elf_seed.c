/* A little of everything that is read of an ELF file: symbols, needed libraries, read-only text. */
const char driver[] = "libcuda.so.1";
int exported;
void _start(void) { exported = driver[0]; }
