/* Nothing. Only what the compiler and the linker put into every shared object. */
typedef int nothing;
