// SPDX-License-Identifier: LGPL-2.1-or-later
/* Completion of port I/O exits, and mvmm_complete(), which knows all kinds. */
#include <errno.h>
#include <string.h>
#include "insn.h"

#define RFLAGS_DF	(1u << 10)
/* Transfers of a REP form that are done before the guest may run again */
#define MAX_REPEAT	4096

static int register_io(struct mvmm_guest *guest, unsigned int size,
		       uint16_t port, bool in)
{
	struct mvmm_regs *regs = &guest->run->regs;
	uint32_t value = regs->rax;

	if (!in) {
		guest->port(guest->ctx, port, &value, size, true);
		return 0;
	}
	value = 0;
	guest->port(guest->ctx, port, &value, size, false);
	mvmm_put_sized(&regs->rax, value, size);
	return 0;
}

/*
 * INS and OUTS. The instruction is decoded for its segment, whose limits the CPU
 * may not have checked before it exited. Each datum's memory is found first: a
 * read of a port cannot be undone.
 */
static int string_io(struct mvmm_guest *guest, unsigned int size, uint16_t port,
		     uint8_t flags)
{
	bool input = flags & MVMM_IO_IN, rep = flags & MVMM_IO_REP;
	struct mvmm_regs *regs = &guest->run->regs;
	__u64 *index = input ? &regs->rdi : &regs->rsi;
	int n = input ? 0 : 1, left = MAX_REPEAT, ret;
	unsigned int width;
	uint64_t count;
	int64_t step;
	struct insn in;

	ret = mvmm_insn_decode(&in, guest);
	if (ret)
		return mvmm_deliver(guest, ret, &in.exception);
	/* The guest may have changed its code since the exit */
	if (in.op[n].type != ZYDIS_OPERAND_TYPE_MEMORY ||
	    in.op[n].size != 8 * size ||
	    in.i->meta.category != ZYDIS_CATEGORY_IOSTRINGOP)
		return -ENOTSUP;
	width = in.i->address_width / 8;
	count = rep ? regs->rcx & mvmm_size_mask(width) : 1;
	while (count && left-- > 0) {
		uint32_t value = 0;

		in.regs = *regs;
		ret = mvmm_insn_find_operand(&in, n, 0, input ?
					     MVMM_ACCESS_WRITE :
					     MVMM_ACCESS_READ);
		if (ret)
			return mvmm_deliver(guest, ret, &in.exception);
		if (!input)
			value = mvmm_insn_load(&in, n);
		guest->port(guest->ctx, port, &value, size, !input);
		if (input)
			mvmm_insn_store(&in, n, value);
		step = regs->rflags & RFLAGS_DF ? -(int64_t)size : size;
		mvmm_put_sized(index, *index + step, width);
		count--;
		if (rep)
			mvmm_put_sized(&regs->rcx, count, width);
	}
	if (!count)
		guest->run->retire = in.i->length;
	return 0;
}

/* evening 6: IN and OUT */
int mvmm_complete_io(struct mvmm_guest *guest)
{
	struct mvmm_run *run = guest->run;

	if (run->exit_reason != MVMM_EXIT_IO ||
	    (run->io.size != 1 && run->io.size != 2 && run->io.size != 4))
		return -EINVAL;
	if (run->io.flags & MVMM_IO_STRING)
		return string_io(guest, run->io.size, run->io.port,
				 run->io.flags);
	run->retire = run->insn_len;
	return register_io(guest, run->io.size, run->io.port,
			   run->io.flags & MVMM_IO_IN);
}

int mvmm_complete(struct mvmm_guest *guest)
{
	if (guest->run->exit_reason == MVMM_EXIT_IO)
		return mvmm_complete_io(guest);
	switch (guest->run->exit_reason) {
	case MVMM_EXIT_MMIO:
		return mvmm_complete_mmio(guest);
	case MVMM_EXIT_CR:
		return mvmm_complete_cr(guest);
	case MVMM_EXIT_TASK_SWITCH:
		return mvmm_complete_task(guest);
	default:
		return -EOPNOTSUPP;
	}
}
