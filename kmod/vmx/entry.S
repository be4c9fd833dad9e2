/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Into the guest and back. Only the general registers are moved here; the rest
 * is the VMCS's, or swapped by C code before and after.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/asm.h>
#include <asm/frame.h>
#include <asm/unwind_hints.h>
#include "compat.h"

/* Offsets in struct mvmm_regs: asserted in loop.c */
#define R(n) ((n) * 8)
#define HOST_RSP 0x6c14

	.section .noinstr.text, "ax"

/*
 * bool vmx_enter(struct mvmm_regs *regs, bool launched,
 *		  unsigned long *host_rsp)
 *
 * Interrupts off, VMCS current, which has *host_rsp as HOST_RSP. Returns true
 * after an exit, false if the CPU refused the instruction (or VMX went away).
 */
SYM_FUNC_START(vmx_enter)
	push	%rbp
	mov	%rsp, %rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	push	%rdi

	/* The stack is most often as deep as before */
	cmp	%rsp, (%rdx)
	je	.Lsame_rsp
	mov	%rsp, (%rdx)
	mov	$HOST_RSP, %eax
1:	vmwrite	%rsp, %rax
.Lsame_rsp:
	/* CF survives the moves and VERW */
	bt	$0, %esi
	UNWIND_HINT_SAVE

	mov	%rdi, %rax
	mov	R(1)(%rax), %rcx
	mov	R(2)(%rax), %rdx
	mov	R(3)(%rax), %rbx
	mov	R(5)(%rax), %rbp
	mov	R(6)(%rax), %rsi
	mov	R(7)(%rax), %rdi
	mov	R(8)(%rax), %r8
	mov	R(9)(%rax), %r9
	mov	R(10)(%rax), %r10
	mov	R(11)(%rax), %r11
	mov	R(12)(%rax), %r12
	mov	R(13)(%rax), %r13
	mov	R(14)(%rax), %r14
	mov	R(15)(%rax), %r15
	mov	R(0)(%rax), %rax

	MVMM_CLEAR_CPU_BUFFERS
	jnc	.Llaunch

2:	vmresume
	jmp	.Lfailed
.Llaunch:
3:	vmlaunch
	jmp	.Lfailed

	_ASM_EXTABLE(1b, .Lfailed)
	_ASM_EXTABLE(2b, .Lfailed)
	_ASM_EXTABLE(3b, .Lfailed)

SYM_INNER_LABEL(vmx_exit, SYM_L_GLOBAL)
	/* The CPU comes here by itself, not by an indirect branch */
	UNWIND_HINT_RESTORE
	ANNOTATE_NOENDBR
	push	%rax
	mov	8(%rsp), %rax
	popq	R(0)(%rax)
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
	mov	$1, %ebx
	jmp	.Lhost

.Lfailed:
	xor	%ebx, %ebx

.Lhost:
	/* Before the first RET: the guest's return predictions are not ours */
	MVMM_RSB_FILL
	MVMM_CLEAR_BRANCH_HISTORY
	/* No guest value is left for speculation; the others are popped */
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%ebp, %ebp
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	mov	%ebx, %eax
	add	$8, %rsp
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
	RET
SYM_FUNC_END(vmx_enter)
