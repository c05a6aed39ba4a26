// Reset entry and exception vectors of i.MX 6UltraLite (Cortex-A7, ARMv7-A; cited as ARM DDI 0406C).
//
// Entered in secure Supervisor mode, from a boot loader (caches and MMU in any state) or straight from QEMU, with the whole
// image in RAM at its link address. main() runs in Supervisor mode on the main stack, and so do interrupt handlers; the
// fatal exceptions have stacks of their own, because a stack overflow is one of them.

    .syntax unified
    .arm

    .equ    mode_irq, 0x12
    .equ    mode_supervisor, 0x13
    .equ    mode_abort, 0x17
    .equ    mode_undefined, 0x1B
    .equ    mode_fiq, 0x11

    .section .vectors, "ax", %progbits
    .balign 32
    .global exception_vectors
exception_vectors:
    b       _start
    b       undefined_entry
    b       supervisor_call_entry
    b       prefetch_abort_entry
    b       data_abort_entry
    b       reserved_entry
    b       irq_entry
    b       fiq_entry

    .section .text.startup_entry, "ax", %progbits
    .global _start
    .type   _start, %function
_start:
    cpsid   aif, #mode_supervisor
    ldr     r0, =exception_vectors
    mcr     p15, 0, r0, c12, c0, 0          // VBAR

    // A boot loader's dirty lines go to memory before its caches are switched off; stale lines must never come back.
    mrc     p15, 0, r4, c1, c0, 0           // SCTLR
    bl      clean_and_invalidate_data_cache
    bic     r4, r4, #(1 << 0)               // M
    bic     r4, r4, #(1 << 1)               // A: unaligned accesses to normal memory are allowed
    bic     r4, r4, #(1 << 2)               // C
    bic     r4, r4, #(1 << 12)              // I
    bic     r4, r4, #(1 << 13)              // V: vectors at VBAR
    bic     r4, r4, #(1 << 28)              // TRE
    bic     r4, r4, #(1 << 29)              // AFE
    bic     r4, r4, #(1 << 30)              // TE: exceptions in Arm state
    mcr     p15, 0, r4, c1, c0, 0
    isb
    bl      clean_and_invalidate_data_cache
    mov     r0, #0
    mcr     p15, 0, r0, c7, c5, 0           // ICIALLU
    mcr     p15, 0, r0, c7, c5, 6           // BPIALL
    mcr     p15, 0, r0, c8, c7, 0           // TLBIALL
    dsb
    isb

    // Cortex-A7 TRM 4.3.31: SMP must be set before the caches are, even on a single core.
    mrc     p15, 0, r0, c1, c0, 1
    orr     r0, r0, #(1 << 6)
    mcr     p15, 0, r0, c1, c0, 1

    // VFP and NEON: the compiler uses their registers anywhere.
    mrc     p15, 0, r0, c1, c0, 2           // CPACR
    orr     r0, r0, #(0xF << 20)
    mcr     p15, 0, r0, c1, c0, 2
    isb
    mov     r0, #(1 << 30)
    vmsr    fpexc, r0

    cps     #mode_fiq
    ldr     sp, =__exception_stack_top
    cps     #mode_irq
    ldr     sp, =__exception_stack_top      // the IRQ entry leaves this mode before it touches memory
    cps     #mode_abort
    ldr     sp, =__exception_stack_top
    cps     #mode_undefined
    ldr     sp, =__undefined_stack_top
    cps     #mode_supervisor
    ldr     sp, =__stack_top

    bl      imx6ul_enable_mmu
    bl      imx6ul_prepare_cxx
    bl      main                            // from here, because C++ may not call it
    bl      imx6ul_main_returned
    .size   _start, . - _start

// DCCISW over every set and way of every level that has a data cache (DDI 0406C B2.2.7). Clobbers r0 to r3, r5 to r11.
    .type   clean_and_invalidate_data_cache, %function
clean_and_invalidate_data_cache:
    dmb
    mrc     p15, 1, r0, c0, c0, 1           // CLIDR
    ands    r3, r0, #(7 << 24)
    mov     r3, r3, lsr #23                 // 2 * level of coherency
    beq     5f
    mov     r10, #0                         // 2 * level
1:  add     r2, r10, r10, lsr #1
    mov     r1, r0, lsr r2
    and     r1, r1, #7
    cmp     r1, #2
    blt     4f
    mcr     p15, 2, r10, c0, c0, 0          // CSSELR
    isb
    mrc     p15, 1, r1, c0, c0, 0           // CCSIDR
    and     r2, r1, #7
    add     r2, r2, #4                      // log2 of the line
    ubfx    r8, r1, #3, #10                 // ways - 1
    clz     r5, r8
    ubfx    r7, r1, #13, #15                // sets - 1
2:  mov     r9, r8
3:  orr     r11, r10, r9, lsl r5
    orr     r11, r11, r7, lsl r2
    mcr     p15, 0, r11, c7, c14, 2         // DCCISW
    subs    r9, r9, #1
    bge     3b
    subs    r7, r7, #1
    bge     2b
4:  add     r10, r10, #2
    cmp     r3, r10
    bgt     1b
5:  mov     r10, #0
    mcr     p15, 2, r10, c0, c0, 0
    dsb
    isb
    bx      lr
    .size   clean_and_invalidate_data_cache, . - clean_and_invalidate_data_cache

// Interrupts are handled in Supervisor mode on the main stack, one at a time. What the procedure call standard lets a C++
// function change is saved, VFP and NEON registers among it.
    .type   irq_entry, %function
irq_entry:
    sub     lr, lr, #4
    srsdb   sp!, #mode_supervisor
    cps     #mode_supervisor
    push    {r0-r3, r12, lr}
    and     r1, sp, #4                      // the stack may be at any word when an interrupt comes
    sub     sp, sp, r1
    vmrs    r2, fpscr
    push    {r1, r2}
    vpush   {d0-d7}
    vpush   {d16-d31}
    bl      imx6ul_dispatch_interrupt
    vpop    {d16-d31}
    vpop    {d0-d7}
    pop     {r1, r2}
    vmsr    fpscr, r2
    add     sp, sp, r1
    pop     {r0-r3, r12, lr}
    clrex                                   // an LDREX of the interrupted code must not pair with its STREX
    rfeia   sp!
    .size   irq_entry, . - irq_entry

// Fatal exceptions: struct CrashFrame of exceptions.cpp on the exception's own stack, then fatal_exception(kind, frame).
    .macro  fatal_entry name, kind, adjust
    .type   \name, %function
\name:
    sub     lr, lr, #\adjust
    sub     sp, sp, #(18 * 4)
    stmia   sp, {r0-r12}
    str     lr, [sp, #(15 * 4)]
    mrs     r1, spsr
    str     r1, [sp, #(16 * 4)]
    mrs     r4, cpsr
    mov     r3, sp
    and     r2, r1, #0x1F
    orr     r2, r2, #0xC0                   // IRQ and FIQ stay off in the mode that was interrupted
    msr     cpsr_c, r2
    mov     r5, sp
    mov     r6, lr
    msr     cpsr_c, r4
    str     r5, [r3, #(13 * 4)]
    str     r6, [r3, #(14 * 4)]
    mov     r0, #\kind
    mov     r1, r3
    bl      imx6ul_fatal_exception
    .size   \name, . - \name
    .endm

    fatal_entry undefined_entry, 1, 4
    fatal_entry supervisor_call_entry, 2, 4
    fatal_entry prefetch_abort_entry, 3, 4
    fatal_entry data_abort_entry, 4, 8
    fatal_entry reserved_entry, 5, 0
    fatal_entry fiq_entry, 7, 4

// The procedure call standard's way to the thread's storage (RTABI 5.3.5): may change nothing but r0.
    .section .text.__aeabi_read_tp, "ax", %progbits
    .global __aeabi_read_tp
    .type   __aeabi_read_tp, %function
__aeabi_read_tp:
    mrc     p15, 0, r0, c13, c0, 3          // TPIDRURO
    bx      lr
    .size   __aeabi_read_tp, . - __aeabi_read_tp
