/* A C++ runtime that is not the engine's: every function of it aborts. Whatever of libstdc++ or
 * libgcc the engine reached by name, it would reach here, because the program's libraries come
 * first. */
#include <stdlib.h>

#define ABORTS(symbol) \
    void symbol(void) { abort(); }

ABORTS(_Znwm) /* operator new */
ABORTS(_Znam)
ABORTS(_ZdlPv) /* operator delete */
ABORTS(_ZdlPvm)
ABORTS(_ZdaPv)
ABORTS(_ZdaPvm)
ABORTS(__cxa_allocate_exception)
ABORTS(__cxa_free_exception)
ABORTS(__cxa_throw)
ABORTS(__cxa_rethrow)
ABORTS(__cxa_begin_catch)
ABORTS(__cxa_end_catch)
ABORTS(__cxa_get_globals)
ABORTS(__gxx_personality_v0)
ABORTS(_Unwind_RaiseException)
ABORTS(_Unwind_Resume)
ABORTS(_ZSt9terminatev)
ABORTS(_ZSt17__throw_bad_allocv)
ABORTS(_ZSt20__throw_length_errorPKc)
ABORTS(_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE9_M_assignERKS4_)
ABORTS(_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE9_M_createERmm)
