// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * PUSH, POP and the like, of which the operand, the stack or both are a device,
 * and near jumps, calls and returns through a device's register.
 */
#include <errno.h>
#include "execute.h"

#define ATTR_DB		(1u << 14)

/* Bytes of rsp that count */
static unsigned int stack_width(struct insn *in)
{
	const struct mvmm_sregs *s;

	if (mvmm_insn_is_long(in))
		return 8;
	s = mvmm_insn_sregs(in);
	return s && s->ss.attr & ATTR_DB ? 4 : 2;
}

/* The operand that stands for what PUSH writes or POP reads */
static int stack_operand(const struct insn *in)
{
	int i;

	for (i = in->i->operand_count - 1; i > 0; i--)
		if (in->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			break;
	return i;
}

/* An operand in memory is found with rsp as it was. No access is done yet */
static int find_push(struct insn *in, unsigned int size, __u64 *rsp)
{
	unsigned int width = stack_width(in);
	int ret = 0;

	*rsp = in->regs.rsp;
	mvmm_put_sized(rsp, *rsp - size, width);
	if (in->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY)
		ret = mvmm_insn_find_operand(in, 0, 0, MVMM_ACCESS_READ);
	return ret ? ret : mvmm_insn_find(in, stack_operand(in),
					  ZYDIS_REGISTER_SS,
					  *rsp & mvmm_size_mask(width), size,
					  MVMM_ACCESS_WRITE);
}

int mvmm_push(struct insn *in)
{
	int stack = stack_operand(in), ret;
	uint64_t value;
	__u64 rsp;

	ret = find_push(in, in->op[stack].size / 8, &rsp);
	if (ret)
		return ret;
	value = mvmm_insn_load(in, 0);
	mvmm_insn_store(in, stack, value);
	in->regs.rsp = rsp;
	return 0;
}

/* The top of the stack is at @rsp, which becomes what is behind it */
static int find_pop(struct insn *in, uint64_t rsp)
{
	int stack = stack_operand(in), size = in->op[stack].size / 8;
	unsigned int width = stack_width(in);

	mvmm_put_sized(&in->regs.rsp, rsp + size, width);
	return mvmm_insn_find(in, stack, ZYDIS_REGISTER_SS,
			      rsp & mvmm_size_mask(width), size,
			      MVMM_ACCESS_READ);
}

/* If rsp is in the address of an operand in memory, it is the new one */
int mvmm_pop(struct insn *in)
{
	int ret = find_pop(in, in->regs.rsp);

	if (!ret && in->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY)
		ret = mvmm_insn_find_operand(in, 0, 0, MVMM_ACCESS_WRITE);
	if (!ret)
		mvmm_insn_store(in, 0, mvmm_insn_load(in, stack_operand(in)));
	return ret;
}

int mvmm_leave(struct insn *in)
{
	int ret = find_pop(in, in->regs.rbp);

	if (!ret)
		mvmm_insn_store(in, 1, mvmm_insn_load(in, stack_operand(in)));
	return ret;
}

/*
 * The caller adds the instruction's length to rip. The target is checked after
 * it was read: a device that points nowhere has been read by the CPU, too.
 */
static int jump_to(struct insn *in, uint64_t target)
{
	const struct mvmm_sregs *s;

	if (mvmm_insn_is_long(in)) {
		if (!mvmm_is_canonical(target))
			return mvmm_insn_raise(in, 13, 0);
	} else {
		s = mvmm_insn_sregs(in);
		if (!s)
			return -EIO;
		if (target > s->cs.limit)
			return mvmm_insn_raise(in, 13, 0);
	}
	target -= in->i->length;
	in->regs.rip = mvmm_insn_is_long(in) ? target : (uint32_t)target;
	return 0;
}

/* JMP through memory. Far ones load a segment, which only the CPU can do */
int mvmm_jump(struct insn *in)
{
	int ret;

	if (in->i->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
		return -ENOTSUP;
	ret = mvmm_insn_find_operand(in, 0, 0, MVMM_ACCESS_READ);
	return ret ? ret : jump_to(in, mvmm_insn_load(in, 0));
}

int mvmm_call(struct insn *in)
{
	int stack = stack_operand(in), ret;
	__u64 rsp;
	uint64_t next = in->regs.rip + in->i->length, target;

	if (in->i->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
		return -ENOTSUP;
	ret = find_push(in, in->op[stack].size / 8, &rsp);
	if (!ret) {
		target = mvmm_insn_load(in, 0);
		if (in->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
			target = (next + target) &
				 mvmm_size_mask(in->op[stack].size / 8);
		ret = jump_to(in, target);
	}
	if (ret)
		return ret;
	mvmm_access_span(in->guest, &in->span[stack], &next, true);
	in->regs.rsp = rsp;
	return 0;
}

int mvmm_return(struct insn *in)
{
	uint64_t more = in->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE ?
			in->op[0].imm.value.u : 0;
	int ret;

	if (in->i->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
		return -ENOTSUP;
	ret = find_pop(in, in->regs.rsp);
	if (ret)
		return ret;
	mvmm_put_sized(&in->regs.rsp, in->regs.rsp + more, stack_width(in));
	return jump_to(in, mvmm_insn_load(in, stack_operand(in)));
}
