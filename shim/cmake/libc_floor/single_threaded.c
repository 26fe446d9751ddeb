/* libstdc++ leaves atomic operations out while this is true (glibc 2.32); never here. */
char __libc_single_threaded = 0;
