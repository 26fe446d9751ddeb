/* A program that LD_PRELOAD does not reach. */
int main(void) { return 0; }
