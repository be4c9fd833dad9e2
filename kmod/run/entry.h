/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For both vendors' entry.S: moves the general registers between struct
 * mvmm_regs and the CPU, except RAX and RSP.
 */
#ifndef MVMM_RUN_ENTRY_H
#define MVMM_RUN_ENTRY_H

/* Offset in struct mvmm_regs, by the register's encoding: asserted in loop.c */
#define R(n) ((n) * 8)

/* The registers that a C function has to preserve, with a frame pointer */
.macro PUSH_CALLEE_SAVED
	push	%rbp
	mov	%rsp, %rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
.endm

.macro POP_CALLEE_SAVED
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
.endm

/* @base: RAX, or RDI, which is loaded last */
.macro LOAD_GUEST_REGS base:req
	mov	R(1)(\base), %rcx
	mov	R(2)(\base), %rdx
	mov	R(3)(\base), %rbx
	mov	R(5)(\base), %rbp
	mov	R(6)(\base), %rsi
	mov	R(8)(\base), %r8
	mov	R(9)(\base), %r9
	mov	R(10)(\base), %r10
	mov	R(11)(\base), %r11
	mov	R(12)(\base), %r12
	mov	R(13)(\base), %r13
	mov	R(14)(\base), %r14
	mov	R(15)(\base), %r15
	mov	R(7)(\base), %rdi
.endm

/* RAX is the base */
.macro SAVE_GUEST_REGS
	mov	%rcx, R(1)(%rax)
	mov	%rdx, R(2)(%rax)
	mov	%rbx, R(3)(%rax)
	mov	%rbp, R(5)(%rax)
	mov	%rsi, R(6)(%rax)
	mov	%rdi, R(7)(%rax)
	mov	%r8, R(8)(%rax)
	mov	%r9, R(9)(%rax)
	mov	%r10, R(10)(%rax)
	mov	%r11, R(11)(%rax)
	mov	%r12, R(12)(%rax)
	mov	%r13, R(13)(%rax)
	mov	%r14, R(14)(%rax)
	mov	%r15, R(15)(%rax)
.endm

/*
 * No guest value must be left for speculation. RAX gets the result, and the
 * callee-saved registers are popped.
 */
.macro CLEAR_GUEST_REGS
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
.endm

#endif
