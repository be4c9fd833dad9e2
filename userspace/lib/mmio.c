// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Completion of MMIO exits: decode the instruction at rip (insn.c) and execute
 * it on the run page's registers (execute.c). A plain MOV, which drivers use
 * most, has a short path here.
 */
#include <errno.h>
#include <string.h>
#include "execute.h"

/*
 * Is this the access that the CPU exited for? Then the CPU has translated the
 * address, checked the rights and set the accessed and dirty bits already. The
 * instruction has only one memory operand, so equal page offsets are enough.
 */
static bool is_exit_access(const struct mvmm_run *run, uint64_t gva,
			   const struct plain_mov *mov)
{
	return !((gva ^ run->mmio.gpa) & 4095) &&
	       (gva & 4095) + mov->size <= 4096 &&
	       mov->store == !!(run->mmio.access & MVMM_ACCESS_WRITE);
}

/* The short path: without a copy of the registers */
static int complete_plain_mov(struct insn *in)
{
	struct mvmm_run *run = in->guest->run;
	const struct plain_mov *mov = in->mov;
	__u64 *regs = &run->regs.rax;
	uint64_t gva = mov->disp, value = regs[mov->reg];
	int ret;

	if (mov->base != NO_REG)
		gva += regs[mov->base];
	if (mov->index != NO_REG)
		gva += regs[mov->index] * mov->scale;
	if (!mov->store)
		value = 0;
	if (is_exit_access(run, gva, mov)) {
		in->guest->mmio(in->guest->ctx, run->mmio.gpa, &value,
				mov->size, mov->store);
	} else {
		ret = mvmm_access(in->guest, in->paging, gva, &value, mov->size,
				  mov->store, &in->exception);
		if (ret)
			return ret;
	}
	if (!mov->store)
		regs[mov->reg] = value;
	run->retire = in->i->length;
	return 0;
}

/* evening 7: an instruction that accesses a device's memory */
int mvmm_complete_mmio(struct mvmm_guest *guest)
{
	struct insn in;
	int ret;

	if (guest->run->exit_reason != MVMM_EXIT_MMIO)
		return -EINVAL;
	/* The CPU accessed a descriptor or a stack; no instruction did */
	if (guest->run->exit_flags & MVMM_EXIT_FLAG_IN_DELIVERY)
		return -ENOTSUP;
	ret = mvmm_insn_decode(&in, guest);
	if (!ret && in.mov->is) {
		ret = complete_plain_mov(&in);
		if (!ret)
			return 0;
	} else if (!ret) {
		in.regs = guest->run->regs;
		ret = mvmm_execute(&in);
	}
	if (ret && ret != -EAGAIN)
		return mvmm_deliver(guest, ret, &in.exception);
	guest->run->regs = in.regs;
	if (!ret)
		guest->run->retire = in.i->length;
	return 0;
}
