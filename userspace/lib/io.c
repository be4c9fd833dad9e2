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

static int string_io(struct mvmm_guest *guest, unsigned int size, uint16_t port,
		     uint8_t flags, unsigned int addr_size, uint64_t gva)
{
	bool in = flags & MVMM_IO_IN, rep = flags & MVMM_IO_REP;
	struct mvmm_regs *regs = &guest->run->regs;
	__u64 *index = in ? &regs->rdi : &regs->rsi;
	uint64_t mask = mvmm_size_mask(addr_size);
	int64_t step = regs->rflags & RFLAGS_DF ? -(int64_t)size : size;
	uint64_t count = rep ? regs->rcx & mask : 1;
	/* The segment's base is the address minus the index register */
	uint64_t base = gva - (*index & mask);
	const struct mvmm_paging *paging = &guest->run->paging;
	struct mvmm_page_fault fault;
	int left = MAX_REPEAT, ret;

	if (addr_size != 2 && addr_size != 4 && addr_size != 8)
		return -EINVAL;
	if (flags & MVMM_IO_DECODE) {
		struct insn insn;

		ret = mvmm_insn_decode(&insn, guest);
		if (ret)
			return mvmm_deliver_page_fault(guest, ret, &insn.fault);
		ret = mvmm_insn_segment_base(&insn, &base);
		if (ret)
			return ret;
		addr_size = insn.i->address_width / 8;
		mask = mvmm_size_mask(addr_size);
		count = rep ? regs->rcx & mask : 1;
	}
	while (count && left-- > 0) {
		uint64_t at = base + (*index & mask);
		uint32_t value = 0;

		/* Check the memory first: a read of a port cannot be undone */
		if (in) {
			uint64_t gpa;

			ret = mvmm_translate(guest, paging, at,
					     MVMM_ACCESS_WRITE, &gpa, &fault);
			if (!ret)
				ret = mvmm_translate(guest, paging,
						     at + size - 1,
						     MVMM_ACCESS_WRITE, &gpa,
						     &fault);
			if (!ret) {
				guest->port(guest->ctx, port, &value, size,
					    false);
				ret = mvmm_access(guest, paging, at, &value,
						  size, true, &fault);
			}
		} else {
			ret = mvmm_access(guest, paging, at, &value, size,
					  false, &fault);
			if (!ret)
				guest->port(guest->ctx, port, &value, size,
					    true);
		}
		if (ret)
			return mvmm_deliver_page_fault(guest, ret, &fault);
		mvmm_put_sized(index, *index + step, addr_size);
		count--;
		if (rep)
			mvmm_put_sized(&regs->rcx, count, addr_size);
	}
	if (!count)
		guest->run->retire = guest->run->insn_len;
	return 0;
}

int mvmm_complete_io(struct mvmm_guest *guest)
{
	struct mvmm_run *run = guest->run;

	if (run->exit_reason != MVMM_EXIT_IO ||
	    (run->io.size != 1 && run->io.size != 2 && run->io.size != 4))
		return -EINVAL;
	if (run->io.flags & MVMM_IO_STRING)
		return string_io(guest, run->io.size, run->io.port,
				 run->io.flags, run->io.addr_size, run->io.gva);
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
	default:
		return -EOPNOTSUPP;
	}
}
