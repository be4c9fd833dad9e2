// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Completion of task switches by hardware (SDM vol. 3, chapter 8). What the CPU has
 * checked before the exit was in the guest's memory, and is read and checked anew.
 * The T flag of a TSS is not looked at.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include "insn.h"

#define CR0_TS		(1ull << 3)
#define CR0_PG		(1ull << 31)
#define CR4_PAE		(1ull << 5)
#define EFER_LMA	(1ull << 10)
#define EFLAGS		0x3f7fd5u	/* those that there are */
#define EFLAGS_NT	(1u << 14)
#define EFLAGS_RF	(1u << 16)
#define EFLAGS_VM	(1u << 17)
#define DR7_LOCAL	0x155u
#define BUSY		2u		/* in the type of a TSS */
#define WIDE		8u		/* of 32 bits; the same */
#define DF 8
#define TS 10
#define NP 11
#define SS 12
#define GP 13
#define PF 14

enum { ES_, CS_, SS_, DS_, FS_, GS_, SEGMENTS };

/* From offset 0x1c and 0xe on: registers are in the order of their encoding */
struct tss32 {
	uint32_t cr3, eip, eflags, reg[8], seg[SEGMENTS], ldt;
};

struct tss16 {
	uint16_t ip, flags, reg[8], seg[4], ldt;
};

#define TSS32_AT	0x1c
#define TSS16_AT	0x0e
#define TSS32_LIMIT	0x67
#define TSS16_LIMIT	0x2b

/**
 * struct task - a switch
 * @guest: whose
 * @paging: of the old task, later of the new one, in ring 0
 * @s: the same of the other registers
 * @e: events, of which one may be the cause
 * @exception: if one is raised
 * @ext: of its error code: an event from outside is the cause
 * @old: all that a TSS has, of the task that ends
 * @new: of the other one
 */
struct task {
	struct mvmm_guest *guest;
	struct mvmm_paging paging;
	struct mvmm_sregs s;
	struct mvmm_events e;
	struct mvmm_exception exception;
	bool ext;
	struct tss32 old, new;
};

static int raise(struct task *t, uint8_t vector, uint16_t selector)
{
	t->exception = (struct mvmm_exception){
		.vector = vector, .has_error = true,
		.error_code = (selector & 0xfffc) | t->ext };
	return -EFAULT;
}

static int access(struct task *t, uint64_t gva, void *data, unsigned int size,
		  bool write)
{
	return mvmm_access(t->guest, &t->paging, (uint32_t)gva, data, size,
			   write, &t->exception);
}

/* Where it is, and what: @vector is raised if there is none */
static int read_descriptor(struct task *t, uint16_t selector, uint8_t vector,
			   uint64_t *at, struct mvmm_segment *segment)
{
	const struct mvmm_segment *ldt = &t->s.ldt;
	bool local = selector & 4;
	uint32_t limit = local ? ldt->limit : t->s.gdt.limit;
	uint64_t d;
	int ret;

	if ((local && !(ldt->attr & 0x80)) || (selector | 7u) > limit)
		return raise(t, vector, selector);
	*at = (local ? ldt->base : t->s.gdt.base) + (selector & ~7u);
	ret = access(t, *at, &d, sizeof(d), false);
	if (ret)
		return ret;
	*segment = (struct mvmm_segment){
		.selector = selector, .attr = d >> 40 & 0xf0ff,
		.base = (d >> 16 & 0xffffff) | d >> 56 << 24,
		.limit = (d & 0xffff) | (d >> 48 & 0xf) << 16 };
	if (segment->attr & 0x8000)
		segment->limit = segment->limit << 12 | 0xfff;
	return 0;
}

/* ---- the old task ------------------------------------------------------------- */

static int find(struct task *t, uint64_t gva, unsigned int size, bool write,
		struct mvmm_span *span)
{
	return mvmm_find_span(t->guest, &t->paging, (uint32_t)gva, size,
			      write ? MVMM_ACCESS_WRITE : MVMM_ACCESS_READ,
			      span, &t->exception);
}

static int find_new(struct task *t, uint16_t selector, bool iret, uint64_t *at,
		    struct mvmm_segment *tss)
{
	int ret;

	if (selector & 4)
		return raise(t, iret ? TS : GP, selector);
	ret = read_descriptor(t, selector, iret ? TS : GP, at, tss);
	if (ret)
		return ret;
	if ((tss->attr & 0x17) != (iret ? 1 | BUSY : 1))
		return raise(t, iret ? TS : GP, selector);
	if (!(tss->attr & 0x80))
		return raise(t, NP, selector);
	return tss->limit < (tss->attr & WIDE ? TSS32_LIMIT : TSS16_LIMIT) ?
	       raise(t, TS, selector) : 0;
}

/* As it was when it ended */
static void note_old(struct task *t, uint32_t eip, uint32_t eflags)
{
	const struct mvmm_segment *segment = &t->s.es;
	const __u64 *reg = &t->guest->run->regs.rax;
	int i;

	t->old.eip = eip;
	t->old.eflags = eflags;
	for (i = 0; i < 8; i++)
		t->old.reg[i] = reg[i];
	for (i = 0; i < SEGMENTS; i++)
		t->old.seg[i] = segment[i].selector;
}

static struct tss16 narrow(const struct tss32 *from)
{
	struct tss16 to = { .ip = from->eip, .flags = from->eflags };
	int i;

	for (i = 0; i < 8; i++)
		to.reg[i] = from->reg[i];
	for (i = 0; i < 4; i++)
		to.seg[i] = from->seg[i];
	return to;
}

static struct tss32 widen(const struct tss16 *from)
{
	struct tss32 to = { .eip = from->ip, .eflags = from->flags,
			    .ldt = from->ldt };
	int i;

	for (i = 0; i < 8; i++)
		to.reg[i] = from->reg[i];
	for (i = 0; i < 4; i++)
		to.seg[i] = from->seg[i];
	return to;
}

static void set_busy(struct task *t, const struct mvmm_span *span, bool on)
{
	uint8_t type;

	mvmm_access_span(t->guest, span, &type, false);
	type = on ? type | BUSY : type & ~BUSY;
	mvmm_access_span(t->guest, span, &type, true);
}

/*
 * The part that can fail without anything being changed, and then what is changed in
 * memory. @nests: the new task returns to the old one
 */
static int leave_old(struct task *t, uint16_t selector, bool iret, bool nests,
		     struct mvmm_segment *tss)
{
	const struct mvmm_segment *tr = &t->s.tr;
	struct mvmm_span old, new, link, old_type, new_type;
	bool old_wide = tr->attr & WIDE, wide;
	/* CR3 and LDT are not written */
	unsigned int skip = offsetof(struct tss32, eip);
	struct tss16 small = narrow(&t->old);
	uint16_t back = tr->selector;
	uint64_t at;
	int ret = find_new(t, selector, iret, &at, tss);

	if (ret)
		return ret;
	wide = tss->attr & WIDE;
	ret = old_wide ? find(t, tr->base + TSS32_AT + skip,
			      sizeof(t->old) - skip - 4, true, &old) :
			 find(t, tr->base + TSS16_AT, sizeof(small) - 2, true,
			      &old);
	if (!ret)
		ret = wide ? find(t, tss->base + TSS32_AT, sizeof(t->new),
				  false, &new) :
			     find(t, tss->base + TSS16_AT, sizeof(small),
				  false, &new);
	if (!ret)
		ret = find(t, tss->base, 2, nests, &link);
	if (!ret)
		ret = find(t, t->s.gdt.base + (tr->selector & ~7u) + 5, 1,
			   true, &old_type);
	if (!ret)
		ret = find(t, at + 5, 1, true, &new_type);
	if (ret)
		return ret;
	mvmm_access_span(t->guest, &old, old_wide ?
			 (void *)&t->old.eip : (void *)&small, true);
	/* Maybe the same TSS: it is read as it is now */
	mvmm_access_span(t->guest, &new, wide ? (void *)&t->new :
			 (void *)&small, false);
	if (!wide)
		t->new = widen(&small);
	if (nests) {
		mvmm_access_span(t->guest, &link, &back, true);
		t->new.eflags |= EFLAGS_NT;
	} else {
		set_busy(t, &old_type, false);
	}
	if (!iret)
		set_busy(t, &new_type, true);
	return 0;
}

/* ---- the new task ------------------------------------------------------------- */

static int load_ldt(struct task *t)
{
	uint16_t selector = t->new.ldt;
	struct mvmm_segment ldt = { .selector = selector, .attr = 2 };
	uint64_t at;
	int ret;

	t->s.ldt = ldt;
	if (!(selector & 0xfffc))
		return 0;
	if (selector & 4)
		return raise(t, TS, selector);
	ret = read_descriptor(t, selector, TS, &at, &ldt);
	if (ret)
		return ret;
	if ((ldt.attr & 0x9f) != 0x82)
		return raise(t, TS, selector);
	t->s.ldt = ldt;
	return 0;
}

/* May that descriptor be in that register? */
static bool fits(int n, uint16_t attr, unsigned int rpl, unsigned int cpl)
{
	bool user = attr & 0x10, code = attr & 8, conforming = code && attr & 4;
	unsigned int dpl = attr >> 5 & 3;

	if (!user)
		return false;
	if (n == CS_)
		return code && (conforming ? dpl <= rpl : dpl == rpl);
	if (n == SS_)
		return !code && attr & 2 && dpl == cpl && rpl == cpl;
	return (!code || attr & 2) &&
	       (conforming || (dpl >= rpl && dpl >= cpl));
}

static int load_segment(struct task *t, int n)
{
	struct mvmm_segment *to = &t->s.es + n, from;
	uint16_t selector = to->selector;
	unsigned int cpl = t->s.cs.selector & 3;
	uint64_t at;
	uint8_t type;
	int ret;

	if (!(selector & 0xfffc)) {
		if (n == CS_ || n == SS_)
			return raise(t, TS, selector);
		*to = (struct mvmm_segment){ .selector = selector };
		return 0;
	}
	ret = read_descriptor(t, selector, TS, &at, &from);
	if (ret)
		return ret;
	if (!fits(n, from.attr, selector & 3, cpl))
		return raise(t, TS, selector);
	if (!(from.attr & 0x80))
		return raise(t, n == SS_ ? SS : NP, selector);
	if (!(from.attr & 1)) {
		type = from.attr | 1;
		ret = access(t, at + 5, &type, 1, true);
		if (ret)
			return ret;
		from.attr |= 1;
	}
	*to = from;
	return 0;
}

static int load_segments(struct task *t)
{
	static const uint8_t order[] = { CS_, SS_, DS_, ES_, FS_, GS_ };
	struct mvmm_segment *segment = &t->s.es;
	unsigned int i;
	int ret;

	/* What is not loaded keeps what is hidden, as that is good for an entry */
	for (i = 0; i < SEGMENTS; i++)
		segment[i].selector = t->new.seg[i];
	ret = load_ldt(t);
	if (ret)
		return ret;
	for (i = 0; i < SEGMENTS && !ret; i++) {
		if (t->new.eflags & EFLAGS_VM)
			segment[i] = (struct mvmm_segment){
				.selector = segment[i].selector, .attr = 0xf3,
				.base = segment[i].selector << 4,
				.limit = 0xffff };
		else
			ret = load_segment(t, order[i]);
	}
	return ret;
}

static void load_cr3(struct task *t)
{
	const void *table;

	t->s.cr3 = t->paging.cr3 = t->new.cr3;
	if (!(t->s.cr4 & CR4_PAE))
		return;
	/* Only a CPU that keeps them has told some */
	if (!(t->s.pdpte[0] | t->s.pdpte[1] | t->s.pdpte[2] | t->s.pdpte[3]))
		return;
	table = mvmm_ram(t->guest, t->new.cr3 & ~31u, sizeof(t->s.pdpte),
			 MVMM_ACCESS_READ);
	if (table)
		memcpy(t->s.pdpte, table, sizeof(t->s.pdpte));
	else
		memset(t->s.pdpte, 0, sizeof(t->s.pdpte));
	memcpy(t->paging.pdpte, t->s.pdpte, sizeof(t->paging.pdpte));
}

/* The event's error code, on the new stack */
static int push_error(struct task *t, bool wide)
{
	const struct mvmm_segment *ss = &t->s.ss;
	__u64 *rsp = &t->guest->run->regs.rsp;
	uint32_t mask = ss->attr & 0x4000 ? ~0u : 0xffff;
	unsigned int size = wide ? 4 : 2;
	uint32_t at = (*rsp - size) & mask;
	int ret;

	if (!(ss->attr & 4) && (at > ss->limit || ss->limit - at < size - 1))
		return raise(t, SS, 0);
	t->paging.cpl = t->s.cs.selector & 3;
	ret = access(t, ss->base + at, &t->e.error_code, size, true);
	if (!ret)
		*rsp = (*rsp & ~(uint64_t)mask) | at;
	return ret;
}

static int enter_new(struct task *t, const struct mvmm_segment *tss)
{
	struct mvmm_regs *regs = &t->guest->run->regs;
	__u64 *reg = &regs->rax;
	int i;

	t->s.tr = *tss;
	t->s.tr.attr |= BUSY;
	t->s.cr0 |= CR0_TS;
	if (tss->attr & WIDE && t->s.cr0 & CR0_PG)
		load_cr3(t);
	regs->rip = t->new.eip;
	regs->rflags = (t->new.eflags & EFLAGS) | 2;
	for (i = 0; i < 8; i++)
		reg[i] = t->new.reg[i];
	return load_segments(t);
}

/* ---- both ------------------------------------------------------------------------ */

/* INT n, INT3 and INTO, which come back behind themselves */
static bool is_software(const struct mvmm_events *e)
{
	return !e->inflight || e->type == MVMM_EVENT_SOFT_INT ||
	       e->type == MVMM_EVENT_PRIV_TRAP ||
	       e->type == MVMM_EVENT_SOFT_EXC;
}

/* Bytes of the instruction that switches; 0: an event came before it */
static int insn_length(struct task *t, bool gate)
{
	struct insn in;
	int ret;

	if (gate && !is_software(&t->e))
		return 0;
	if (gate && t->e.inflight)
		return t->e.insn_len;
	ret = mvmm_insn_decode(&in, t->guest);
	if (!ret)
		return in.i->length;
	t->exception = in.exception;
	return ret;
}

/* An exception in the delivery of another one may become a third */
static void merge(struct task *t)
{
	static const uint32_t contributory = 1u | 1u << TS | 1u << NP |
					     1u << SS | 1u << GP;
	uint32_t old = 1u << (t->e.vector & 31), new = 1u << t->exception.vector;

	if (!t->e.inflight || t->e.type != MVMM_EVENT_EXCEPTION)
		return;
	if (t->e.vector == DF)
		t->e.shutdown = 1;
	else if ((old & contributory && new & contributory) ||
		 (t->e.vector == PF && new & (contributory | 1u << PF)))
		t->exception = (struct mvmm_exception){
			.vector = DF, .has_error = true };
}

static int set_state(struct task *t)
{
	int vcpu = t->guest->vcpu;
	struct mvmm_dregs d;
	int ret = mvmm_get_dregs(vcpu, &d);

	if (ret)
		return ret;
	d.dr7 &= ~(uint64_t)DR7_LOCAL;
	ret = mvmm_set_dregs(vcpu, &d);
	return ret ? ret : mvmm_set_sregs(vcpu, &t->s);
}

/* The event that was the cause is over, also if it becomes an exception */
static int end(struct task *t, int error)
{
	int ret;

	if (error == -EFAULT)
		merge(t);
	t->e.inflight = 0;
	ret = mvmm_set_events(t->guest->vcpu, &t->e);
	if (ret || (error == -EFAULT && t->e.shutdown))
		return ret;
	return mvmm_deliver(t->guest, error, &t->exception);
}

int mvmm_complete_task(struct mvmm_guest *guest)
{
	struct mvmm_run *run = guest->run;
	struct task t = { .guest = guest, .paging = run->paging };
	uint8_t source = run->task.source;
	bool gate = source == MVMM_TASK_GATE, iret = source == MVMM_TASK_IRET;
	bool nests = gate || source == MVMM_TASK_CALL;
	uint16_t selector = run->task.selector;
	uint32_t eflags = run->regs.rflags;
	struct mvmm_segment tss;
	int ret, len;

	if (run->exit_reason != MVMM_EXIT_TASK_SWITCH)
		return -EINVAL;
	ret = mvmm_get_sregs(guest->vcpu, &t.s);
	if (!ret)
		ret = mvmm_get_events(guest->vcpu, &t.e);
	if (ret)
		return ret;
	if (t.s.efer & EFER_LMA)
		return -ENOTSUP;
	t.ext = gate && !is_software(&t.e);
	len = insn_length(&t, gate);
	if (len < 0)
		return len == -EFAULT ? end(&t, len) : len;
	t.paging.cpl = 0;
	if (iret)
		eflags &= ~EFLAGS_NT;
	/* It goes on at what has faulted */
	if (gate && t.e.inflight && t.e.type == MVMM_EVENT_EXCEPTION)
		eflags |= EFLAGS_RF;
	note_old(&t, run->regs.rip + len, eflags);
	ret = leave_old(&t, selector, iret, nests, &tss);
	if (ret)
		return end(&t, ret);
	ret = enter_new(&t, &tss);
	if (!ret && gate && t.e.inflight && t.e.has_error)
		ret = push_error(&t, tss.attr & WIDE);
	t.e.shadow = 0;
	if (iret)
		t.e.nmi_masked = 0;
	if (gate && t.e.inflight && t.e.type == MVMM_EVENT_NMI)
		t.e.nmi_masked = 1;
	/* From here on exceptions are the new task's */
	t.e.inflight = 0;
	len = set_state(&t);
	return len ? len : end(&t, ret);
}
