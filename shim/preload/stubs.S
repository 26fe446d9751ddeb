/* The exported symbols: one indirect jump for each hook, dlsym, and ioctl.
 *
 * In assembly because all must leave the stack and the arguments exactly as the program set them, in
 * unoptimised builds too: dlsym's behaviour depends on its return address, by which the loader knows
 * the caller (RTLD_NEXT, RTLD_DEFAULT), and ioctl takes what its caller passed, whatever that is.
 *
 * A jump whose slot is zero goes to ration_unresolved with the hook's number. That keeps all registers
 * that pass integers and pointers, and the number of vector registers that a variadic call passes in al,
 * has ration_reach say where the call is to go, and jumps there. The vector registers are not kept: no
 * hook takes a floating-point number (front.cpp has the compiler see to that), nor does any request of
 * ioctl.
 *
 * All jumps are STUB_SIZE bytes apart, by which exported.cpp finds them; ioctl's, which is longer, is the
 * last.
 *
 * ioctl serves every program, not those with a GPU alone: requests of another type than 'K' (bits 8 to
 * 15 of the number, asm-generic/ioctl.h) leave by the next ioctl's address, and so do those without a
 * size (bits 16 to 29), which are the console's (linux/kd.h); KFD's all have one, and kfd_ioctl() would
 * take one without for a structure of zeroes, by which no queue can be had.
 */
#define SIZE_BITS 0x3fff0000
#define STUB_SIZE 32
#define NEXT_IOCTL 0xffff               /* in place of a hook's number */

        .section .rodata
        .globl  ration_stub_size
        .hidden ration_stub_size
        .p2align 2
ration_stub_size:
        .long   STUB_SIZE

        .text
        .set    hook_index, 0
        .globl  ration_stubs
        .hidden ration_stubs
        .hidden ration_slots
        .hidden ration_next_ioctl

#if defined(__x86_64__)

#if defined(__CET__)
#include <cet.h>
#define LANDING_PAD _CET_ENDBR
#else
#define LANDING_PAD
#endif

.macro LEAVE_BY slot, number
        movq    \slot(%rip), %r11       /* not rax: al belongs to a variadic call */
        testq   %r11, %r11
        jz      9f
        jmp     *%r11
9:      movl    $\number, %r11d
        jmp     ration_unresolved
.endm

.macro LEAVE_BY_SLOT
        LEAVE_BY ration_slots+8*hook_index, hook_index
.endm

.macro LEAVE_IOCTL
        movl    %esi, %r11d
        shrl    $8, %r11d
        cmpb    $'K', %r11b
        je      1f
2:      LEAVE_BY ration_next_ioctl, NEXT_IOCTL
1:      testl   $SIZE_BITS, %esi
        jz      2b
        LEAVE_BY_SLOT
.endm

        .type   ration_unresolved, @function
        .p2align 4
ration_unresolved:
        .cfi_startproc
        pushq   %rdi
        .cfi_adjust_cfa_offset 8
        pushq   %rsi
        .cfi_adjust_cfa_offset 8
        pushq   %rdx
        .cfi_adjust_cfa_offset 8
        pushq   %rcx
        .cfi_adjust_cfa_offset 8
        pushq   %r8
        .cfi_adjust_cfa_offset 8
        pushq   %r9
        .cfi_adjust_cfa_offset 8
        pushq   %rax                    /* the seventh: the stack is aligned for a call */
        .cfi_adjust_cfa_offset 8
        movl    %r11d, %edi
        movq    56(%rsp), %rsi          /* the return address: who calls */
        call    ration_reach
        movq    %rax, %r11
        popq    %rax
        .cfi_adjust_cfa_offset -8
        popq    %r9
        .cfi_adjust_cfa_offset -8
        popq    %r8
        .cfi_adjust_cfa_offset -8
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        popq    %rdx
        .cfi_adjust_cfa_offset -8
        popq    %rsi
        .cfi_adjust_cfa_offset -8
        popq    %rdi
        .cfi_adjust_cfa_offset -8
        jmp     *%r11
        .cfi_endproc
        .size   ration_unresolved, . - ration_unresolved

        .globl  dlsym
        .type   dlsym, @function
        .p2align 4
dlsym:
        .cfi_startproc
        LANDING_PAD
        pushq   %rdi
        .cfi_adjust_cfa_offset 8
        pushq   %rsi
        .cfi_adjust_cfa_offset 8
        movq    16(%rsp), %rdx          /* the return address: who asks */
        subq    $8, %rsp                /* calls need 16-byte alignment */
        .cfi_adjust_cfa_offset 8
        call    ration_route_dlsym
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        popq    %rsi
        .cfi_adjust_cfa_offset -8
        popq    %rdi
        .cfi_adjust_cfa_offset -8
        testq   %rax, %rax
        jz      1f
        jmp     *%rax
1:      ret                             /* no dlsym in this program: null */
        .cfi_endproc
        .size   dlsym, . - dlsym

#elif defined(__aarch64__)

/* bti c, as the hint that older processors take for a nop. Indirect branches leave through x16 or
 * x17, which a landing pad "bti c" accepts. */
#define LANDING_PAD hint #34

.macro LEAVE_BY slot, number
        adrp    x16, \slot
        ldr     x16, [x16, :lo12:\slot]
        cbz     x16, 9f
        br      x16
9:      mov     w17, #\number
        b       ration_unresolved
.endm

.macro LEAVE_BY_SLOT
        LEAVE_BY ration_slots+8*hook_index, hook_index
.endm

.macro LEAVE_IOCTL
        ubfx    w16, w1, #8, #8
        cmp     w16, #'K'
        b.eq    1f
2:      LEAVE_BY ration_next_ioctl, NEXT_IOCTL
1:      tst     w1, #SIZE_BITS
        b.eq    2b
        LEAVE_BY_SLOT
.endm

        .type   ration_unresolved, %function
        .p2align 4
ration_unresolved:
        .cfi_startproc
        stp     x29, x30, [sp, #-96]!
        .cfi_adjust_cfa_offset 96
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        stp     x0, x1, [sp, #16]
        stp     x2, x3, [sp, #32]
        stp     x4, x5, [sp, #48]
        stp     x6, x7, [sp, #64]
        str     x8, [sp, #80]
        mov     x29, sp
        mov     w0, w17
        mov     x1, x30                 /* the return address: who calls */
        bl      ration_reach
        mov     x16, x0
        ldr     x8, [sp, #80]
        ldp     x6, x7, [sp, #64]
        ldp     x4, x5, [sp, #48]
        ldp     x2, x3, [sp, #32]
        ldp     x0, x1, [sp, #16]
        ldp     x29, x30, [sp], #96
        .cfi_adjust_cfa_offset -96
        .cfi_restore x29
        .cfi_restore x30
        br      x16
        .cfi_endproc
        .size   ration_unresolved, . - ration_unresolved

        .globl  dlsym
        .type   dlsym, %function
        .p2align 4
dlsym:
        .cfi_startproc
        LANDING_PAD
        stp     x29, x30, [sp, #-32]!
        .cfi_adjust_cfa_offset 32
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        stp     x0, x1, [sp, #16]
        mov     x29, sp
        mov     x2, x30                 /* the return address: who asks */
        bl      ration_route_dlsym
        mov     x16, x0
        ldp     x0, x1, [sp, #16]
        ldp     x29, x30, [sp], #32
        .cfi_adjust_cfa_offset -32
        .cfi_restore x29
        .cfi_restore x30
        cbz     x16, 1f
        br      x16
1:      mov     x0, xzr                 /* no dlsym in this program: null */
        ret
        .cfi_endproc
        .size   dlsym, . - dlsym

#else
#error "ration has no jump stubs for this processor"
#endif

/* One frame description for all, since none touches the stack. */
.macro BEGIN symbol
        .org    ration_stubs + STUB_SIZE * hook_index
        .globl  \symbol
        .type   \symbol, %function
\symbol:
        LANDING_PAD
.endm

.macro END symbol
        .size   \symbol, . - \symbol
        .set    hook_index, hook_index + 1
.endm

.macro JUMP symbol
        BEGIN   \symbol
        LEAVE_BY_SLOT
        END     \symbol
.endm

.macro IOCTL symbol
        BEGIN   \symbol
        LEAVE_IOCTL
        END     \symbol
.endm

#define HOOK(library, symbol, family) JUMP symbol
#define LIBC_HOOK(symbol, family) IOCTL symbol
        .p2align 5
ration_stubs:
        .cfi_startproc
#include "shim/preload/hooks.def"
        .cfi_endproc

        .section .note.GNU-stack, "", %progbits

#if defined(__aarch64__)
/* Tells the linker that this file has landing pads, so that it does not switch BTI off for all. */
        .section .note.gnu.property, "a"
        .p2align 3
        .word   4, 16, 5                /* sizes of name and description, NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .word   0xc0000000, 4, 1, 0     /* GNU_PROPERTY_AARCH64_FEATURE_1_AND: BTI */
#endif
