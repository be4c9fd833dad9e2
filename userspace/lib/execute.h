/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Execution of the instructions of MMIO exits (execute.c). */
#ifndef MVMM_EXECUTE_H
#define MVMM_EXECUTE_H

#include "insn.h"

/*
 * Executes @in on @in->regs. 0: done; -EAGAIN: a part of a REP form is done, and
 * rip stays; -EFAULT: nothing is done, and the guest gets @in->exception;
 * -ENOTSUP: nothing is done, since the table does not have it.
 */
int mvmm_execute(struct insn *in);
/* Does the table have it? A test sees to it that what it has is compared */
bool mvmm_executes(ZydisMnemonic mnemonic);

/* The stack and jumps (stack.c). As mvmm_execute(), and the next, too */
int mvmm_push(struct insn *in);
int mvmm_pop(struct insn *in);
int mvmm_jump(struct insn *in);
int mvmm_call(struct insn *in);
int mvmm_leave(struct insn *in);
int mvmm_return(struct insn *in);

/* Moves of vector and MMX registers (vector.c). As mvmm_execute() */
int mvmm_move_vector(struct insn *in);
int mvmm_repeat_vector(struct insn *in);
int mvmm_widen_vector(struct insn *in);
int mvmm_move_mxcsr(struct insn *in);

#endif
