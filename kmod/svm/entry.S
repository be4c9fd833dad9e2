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
#include "run/entry.h"

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
	PUSH_CALLEE_SAVED
	push	%rdx
	push	%rdi

1:	clgi
	/* Not right before VMRUN: an emulator takes its shadow to the guest */
	sti
	mov	%rsi, %rax
	vmload	%rax

	LOAD_GUEST_REGS %rdi

	MVMM_VM_CLEAR_CPU_BUFFERS
	vmrun	%rax
	cli
	/* The exit restored the host's RAX: the VMCB */
	vmsave	%rax

	mov	(%rsp), %rax
	SAVE_GUEST_REGS

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
	CLEAR_GUEST_REGS
	add	$16, %rsp
	POP_CALLEE_SAVED
	RET

	_ASM_EXTABLE(1b, .Lfailed)
SYM_FUNC_END(svm_enter)
