/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Into the guest and back. The general registers are moved here, except RAX and
 * RSP, which are in the VMCB; so is the state that VMRUN does not switch.
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
 * Context: interrupts off. Returns true after an exit, false if SVM is off.
 *
 * With GIF clear nothing interrupts until STGI, not even an NMI. IF must be
 * set, or interrupts would not make the guest exit (APM vol. 2, 15.21.1).
 */
SYM_FUNC_START(svm_enter)
	PUSH_CALLEE_SAVED
	push	%rdx
	push	%rdi

1:	clgi
	/* Not right before VMRUN: on QEMU the guest would get STI's shadow */
	sti
	mov	%rsi, %rax
	vmload	%rax

	LOAD_GUEST_REGS %rdi

	MVMM_VM_CLEAR_CPU_BUFFERS
	vmrun	%rax
	cli
	/* The exit has restored RAX: it is the VMCB's address again */
	vmsave	%rax

	mov	(%rsp), %rax
	SAVE_GUEST_REGS

	/* Before any interrupt: GS, TR and others are still the guest's */
	mov	8(%rsp), %rax
	vmload	%rax
	/* Before the first RET, which would use the guest's predictions */
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

	MVMM_OWN_MITIGATIONS
