/* A library whose constructor makes a GPU call, as bindings that probe for devices do. */
extern void (*in_constructor)(void);
int cuInit(unsigned flags);
int constructed_with = -1;

__attribute__((constructor)) static void begin(void) {
    in_constructor();
    constructed_with = cuInit(0);
}
