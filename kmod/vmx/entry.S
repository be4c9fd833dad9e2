/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Into the guest and back. Only the general registers are moved here. The rest
 * is in the VMCS, or C code swaps it before and after.
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

/* tour 41: into the guest */

/*
 * bool vmx_enter(struct mvmm_regs *regs, bool launched,
 *		  unsigned long *host_rsp)
 *
 * Context: interrupts off, VMCS current. *host_rsp is what the VMCS has as
 * HOST_RSP. Returns true after an exit; false if the CPU refused the
 * instruction, or VMX was turned off.
 */
SYM_FUNC_START(vmx_enter)
	PUSH_CALLEE_SAVED
	push	%rdi

	/* Usually the stack is as deep as last time: no VMWRITE is needed */
	cmp	%rsp, (%rdx)
	je	.Lsame_rsp
	mov	%rsp, (%rdx)
	mov	$HOST_RSP, %eax
1:	vmwrite	%rsp, %rax
.Lsame_rsp:
	/* CF: VMRESUME, not VMLAUNCH. Neither the moves nor VERW change it */
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
	/* An exit comes here, which is not an indirect branch: no ENDBR */
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
	/* Before the first RET, which would use the guest's predictions */
	MVMM_RSB_FILL
	MVMM_CLEAR_BRANCH_HISTORY
	CLEAR_GUEST_REGS
	mov	%ebx, %eax
	add	$8, %rsp
	POP_CALLEE_SAVED
	RET
SYM_FUNC_END(vmx_enter)
