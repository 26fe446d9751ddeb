/* A program that uses no GPU: all that it does is start and end. */
int main(void) { return 0; }
