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
#include "run/entry.h"

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
	PUSH_CALLEE_SAVED
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
	LOAD_GUEST_REGS %rax
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
	SAVE_GUEST_REGS
	mov	$1, %ebx
	jmp	.Lhost

.Lfailed:
	xor	%ebx, %ebx

.Lhost:
	/* Before the first RET: the guest's return predictions are not ours */
	MVMM_RSB_FILL
	MVMM_CLEAR_BRANCH_HISTORY
	CLEAR_GUEST_REGS
	mov	%ebx, %eax
	add	$8, %rsp
	POP_CALLEE_SAVED
	RET
SYM_FUNC_END(vmx_enter)
