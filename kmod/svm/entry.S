/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Into the guest and back. The general registers are moved here, but for RAX
 * and RSP, which the VMCB has, and what VMRUN does not switch.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/asm.h>
#include <asm/frame.h>
#include "compat.h"

/* Offsets in struct mvmm_regs: asserted in loop.c */
#define R(n) ((n) * 8)

	.section .noinstr.text, "ax"

/*
 * bool svm_enter(struct mvmm_regs *regs, u64 vmcb_pa, u64 host_pa)
 *
 * Interrupts off. Returns true after an exit, false if SVM is off.
 *
 * With GIF clear nothing interrupts, not even an NMI, until STGI; IF must be
 * set for the guest to be left by interrupts (APM vol. 2, 15.21.1).
 */
SYM_FUNC_START(svm_enter)
	push	%rbp
	mov	%rsp, %rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	push	%rdx
	push	%rdi

1:	clgi
	/* Not right before VMRUN: an emulator takes its shadow to the guest */
	sti
	mov	%rsi, %rax
	vmload	%rax

	mov	R(1)(%rdi), %rcx
	mov	R(2)(%rdi), %rdx
	mov	R(3)(%rdi), %rbx
	mov	R(5)(%rdi), %rbp
	mov	R(6)(%rdi), %rsi
	mov	R(8)(%rdi), %r8
	mov	R(9)(%rdi), %r9
	mov	R(10)(%rdi), %r10
	mov	R(11)(%rdi), %r11
	mov	R(12)(%rdi), %r12
	mov	R(13)(%rdi), %r13
	mov	R(14)(%rdi), %r14
	mov	R(15)(%rdi), %r15
	mov	R(7)(%rdi), %rdi

	MVMM_VM_CLEAR_CPU_BUFFERS
	vmrun	%rax
	cli
	/* The exit restored the host's RAX: the VMCB */
	vmsave	%rax

	mov	(%rsp), %rax
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

	/* GS, TR and the others are still the guest's: before any interrupt */
	mov	8(%rsp), %rax
	vmload	%rax
	/* Before the first RET: the guest's return predictions are not ours */
	MVMM_RSB_FILL
	MVMM_UNTRAIN_RET
	stgi
	mov	$1, %eax
	jmp	.Lhost

.Lfailed:
	xor	%eax, %eax

.Lhost:
	/* No guest value is left for speculation; the others are popped */
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	add	$16, %rsp
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
	RET

	_ASM_EXTABLE(1b, .Lfailed)
SYM_FUNC_END(svm_enter)
