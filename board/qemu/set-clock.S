@ set-clock SECONDS: sets the wall clock, which BusyBox cannot past 2038 on 32 bits. Linux, ARM EABI.
    .arch armv7-a
    .syntax unified
    .arm
    .equ CLOCK_SETTIME64, 404
    .equ EXIT, 1
    .global _start
_start:
    ldr r6, [sp, #8]            @ argv[1]
    mov r4, #0                  @ the seconds are in r5:r4
    mov r5, #0
    mov r0, #1
    cmp r6, #0
    beq end
next_digit:
    ldrb r0, [r6], #1
    cmp r0, #0
    beq set
    sub r0, r0, #'0'
    cmp r0, #9
    bhi end                     @ r0 is not zero: refused
    mov r1, #10
    umull r2, r3, r4, r1
    mla r5, r5, r1, r3
    adds r4, r2, r0
    adc r5, r5, #0
    b next_digit
set:
    sub sp, sp, #16             @ struct __kernel_timespec: two numbers of 64 bits
    str r4, [sp]
    str r5, [sp, #4]
    mov r0, #0                  @ no nanoseconds, and CLOCK_REALTIME
    str r0, [sp, #8]
    str r0, [sp, #12]
    mov r1, sp
    ldr r7, =CLOCK_SETTIME64
    svc #0
    cmp r0, #0
    movne r0, #1
end:
    mov r7, #EXIT
    svc #0
