/* The exported symbols: one indirect jump for each hook, dlsym, and ioctl.
 *
 * In assembly because all must leave the stack and the arguments exactly as the program set them, in
 * unoptimised builds too: dlsym's behaviour depends on its return address, by which the loader knows
 * the caller (RTLD_NEXT, RTLD_DEFAULT), and ioctl takes what its caller passed, whatever that is. The
 * first ioctl of a process has to find the next one before it jumps there: it keeps all registers that
 * pass integers and pointers. (None passes a floating-point number, so those are not kept.)
 *
 * ioctl serves every program, not those with a GPU alone: requests of another type than 'K' (bits 8 to
 * 15 of the number, asm-generic/ioctl.h) leave by the next ioctl's address, and so do those without a
 * size (bits 16 to 29), which are the console's (linux/kd.h); KFD's all have one, and kfd_ioctl() would
 * take one without for a structure of zeroes, by which no queue can be had.
 */
#define SIZE_BITS 0x3fff0000

#if defined(__CET__)
#include <cet.h>
#else
#define _CET_ENDBR
#endif

        .text
        .set    hook_index, 0

#if defined(__x86_64__)

.macro JUMP symbol
        .globl  \symbol
        .type   \symbol, @function
        .p2align 4
\symbol:
        .cfi_startproc
        _CET_ENDBR
        jmp     *ration_slots + 8 * hook_index(%rip)
        .cfi_endproc
        .size   \symbol, . - \symbol
        .set    hook_index, hook_index + 1
.endm

.macro IOCTL symbol
        .globl  \symbol
        .type   \symbol, @function
        .p2align 4
\symbol:
        .cfi_startproc
        _CET_ENDBR
        movl    %esi, %r11d             /* not rax: al belongs to a variadic call */
        shrl    $8, %r11d
        cmpb    $'K', %r11b
        je      1f
2:      jmp     *ration_next_ioctl(%rip)
1:      testl   $SIZE_BITS, %esi
        jz      2b
        jmp     *ration_slots + 8 * hook_index(%rip)
        .cfi_endproc
        .size   \symbol, . - \symbol
        .set    hook_index, hook_index + 1
.endm

/* What ration_next_ioctl holds until the first call. */
        .globl  ration_first_ioctl
        .hidden ration_first_ioctl
        .type   ration_first_ioctl, @function
        .p2align 4
ration_first_ioctl:
        .cfi_startproc
        _CET_ENDBR
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
        call    ration_find_ioctl
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
        .size   ration_first_ioctl, . - ration_first_ioctl

        .globl  dlsym
        .type   dlsym, @function
        .p2align 4
dlsym:
        .cfi_startproc
        _CET_ENDBR
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
#define BTI_C   hint #34

.macro JUMP symbol
        .globl  \symbol
        .type   \symbol, %function
        .p2align 4
\symbol:
        .cfi_startproc
        BTI_C
        adrp    x16, ration_slots + 8 * hook_index
        ldr     x16, [x16, :lo12:ration_slots + 8 * hook_index]
        br      x16
        .cfi_endproc
        .size   \symbol, . - \symbol
        .set    hook_index, hook_index + 1
.endm

.macro IOCTL symbol
        .globl  \symbol
        .type   \symbol, %function
        .p2align 4
\symbol:
        .cfi_startproc
        BTI_C
        ubfx    w16, w1, #8, #8
        cmp     w16, #'K'
        b.eq    1f
2:      adrp    x16, ration_next_ioctl
        ldr     x16, [x16, :lo12:ration_next_ioctl]
        br      x16
1:      tst     w1, #SIZE_BITS
        b.eq    2b
        adrp    x16, ration_slots + 8 * hook_index
        ldr     x16, [x16, :lo12:ration_slots + 8 * hook_index]
        br      x16
        .cfi_endproc
        .size   \symbol, . - \symbol
        .set    hook_index, hook_index + 1
.endm

/* What ration_next_ioctl holds until the first call. */
        .globl  ration_first_ioctl
        .hidden ration_first_ioctl
        .type   ration_first_ioctl, %function
        .p2align 4
ration_first_ioctl:
        .cfi_startproc
        BTI_C
        stp     x29, x30, [sp, #-80]!
        .cfi_adjust_cfa_offset 80
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        stp     x0, x1, [sp, #16]
        stp     x2, x3, [sp, #32]
        stp     x4, x5, [sp, #48]
        stp     x6, x7, [sp, #64]
        mov     x29, sp
        bl      ration_find_ioctl
        mov     x16, x0
        ldp     x6, x7, [sp, #64]
        ldp     x4, x5, [sp, #48]
        ldp     x2, x3, [sp, #32]
        ldp     x0, x1, [sp, #16]
        ldp     x29, x30, [sp], #80
        .cfi_adjust_cfa_offset -80
        .cfi_restore x29
        .cfi_restore x30
        br      x16
        .cfi_endproc
        .size   ration_first_ioctl, . - ration_first_ioctl

        .globl  dlsym
        .type   dlsym, %function
        .p2align 4
dlsym:
        .cfi_startproc
        BTI_C
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

#define HOOK(library, symbol, family) JUMP symbol
#define LIBC_HOOK(symbol, family) IOCTL symbol
#include "shim/preload/hooks.def"

        .section .note.GNU-stack, "", %progbits

#if defined(__aarch64__)
/* Tells the linker that this file has landing pads, so that it does not switch BTI off for all. */
        .section .note.gnu.property, "a"
        .p2align 3
        .word   4, 16, 5                /* sizes of name and description, NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .word   0xc0000000, 4, 1, 0     /* GNU_PROPERTY_AARCH64_FEATURE_1_AND: BTI */
#endif
