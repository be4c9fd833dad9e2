// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC's registers, priorities and timer (SDM vol. 3, chapter 11), in
 * xAPIC and x2APIC mode. Pure: what the caller has to do is returned as
 * LAPIC_DOES_*. Sections without a volume are the SDM's chapter 11.
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "lapic.h"

/* An integrated APIC; it cannot suppress EOI broadcasts */
#define VERSION		(0x14 | (LAPIC_NR_LVT - 1) << 16)

/* ESR */
#define SEND_ILLEGAL_VECTOR	BIT(5)
#define RECEIVE_ILLEGAL_VECTOR	BIT(6)
#define ILLEGAL_REGISTER	BIT(7)

#define VECTOR_MASK	0xffu
#define MODE_MASK	(7u << 8)
#define TIMER_PERIODIC	(1u << 17)
#define TIMER_DEADLINE	(2u << 17)
#define TIMER_MODE_MASK	(3u << 17)
#define DELIVERY_STATUS	BIT(12)
#define REMOTE_IRR	BIT(14)
#define TDCR_MASK	0xbu
#define SVR_MASK	0x1ffu
#define LDR_MASK	0xff000000u
#define DFR_FLAT	0xffffffffu

/* ICR. Writable: vector, mode, ICR_LOGICAL, ICR_ASSERT, ICR_LEVEL, shorthand */
#define ICR_LOGICAL	BIT(11)
#define ICR_ASSERT	BIT(14)
#define ICR_LEVEL	BIT(15)
#define ICR_LOW_MASK	0xccfffu

/* Bits of each LVT entry that the guest may write (figure 11-8) */
static const u32 lvt_mask[LAPIC_NR_LVT] = {
	[LAPIC_LVT_TIMER] = VECTOR_MASK | LAPIC_LVT_MASKED | TIMER_MODE_MASK,
	[LAPIC_LVT_THERMAL] = VECTOR_MASK | MODE_MASK | LAPIC_LVT_MASKED,
	[LAPIC_LVT_PERF] = VECTOR_MASK | MODE_MASK | LAPIC_LVT_MASKED,
	[LAPIC_LVT_LINT0] = VECTOR_MASK | MODE_MASK | BIT(13) | BIT(15) |
			    LAPIC_LVT_MASKED,
	[LAPIC_LVT_LINT1] = VECTOR_MASK | MODE_MASK | BIT(13) | BIT(15) |
			    LAPIC_LVT_MASKED,
	[LAPIC_LVT_ERROR] = VECTOR_MASK | LAPIC_LVT_MASKED,
};

/** lapic_hw_enabled() - IA32_APIC_BASE's enable bit. Also from other threads */
bool lapic_hw_enabled(const struct lapic *a)
{
	return READ_ONCE(a->base) & LAPIC_BASE_ENABLED;
}

/** lapic_enabled() - does it accept interrupts? Also from other threads */
bool lapic_enabled(const struct lapic *a)
{
	return lapic_hw_enabled(a) && READ_ONCE(a->svr) & LAPIC_SVR_ENABLED;
}

/** lapic_is_x2() - is it in x2APIC mode? Also from other threads */
bool lapic_is_x2(const struct lapic *a)
{
	return READ_ONCE(a->base) & LAPIC_BASE_X2APIC;
}

/** lapic_is_xapic() - is it in xAPIC mode? Also from other threads */
bool lapic_is_xapic(const struct lapic *a)
{
	return (READ_ONCE(a->base) & (LAPIC_BASE_ENABLED | LAPIC_BASE_X2APIC)) ==
	       LAPIC_BASE_ENABLED;
}

/**
 * lapic_reset() - the state after power-up, or after INIT (11.4.7.1, 11.4.7.3)
 * @a: the APIC
 * @id: the vCPU's id; 0 is the bootstrap processor
 * @keep_mode: true for INIT, which does not change IA32_APIC_BASE
 */
void lapic_reset(struct lapic *a, u32 id, bool keep_mode)
{
	u64 base = LAPIC_BASE_ADDRESS | LAPIC_BASE_ENABLED |
		   (id ? 0 : LAPIC_BASE_BSP);
	int i;

	/* Senders read these two at any time, to find a destination */
	WRITE_ONCE(a->id, id);
	if (!keep_mode)
		WRITE_ONCE(a->base, base);
	/* Not eoi_vector: that EOI may not have reached the I/O APIC yet */
	memset_startat(a, 0, tpr);
	a->dfr = DFR_FLAT;
	a->svr = VECTOR_MASK;
	for (i = 0; i < LAPIC_NR_LVT; i++)
		a->lvt[i] = LAPIC_LVT_MASKED;
}

/**
 * lapic_set_base() - WRMSR IA32_APIC_BASE (11.12.1, figure 11-27)
 * @a: the APIC
 * @base: new value
 *
 * The guest can move neither the page nor the role of the bootstrap processor.
 *
 * Return: 0, or -EINVAL for #GP.
 */
int lapic_set_base(struct lapic *a, u64 base)
{
	const u64 mode = LAPIC_BASE_ENABLED | LAPIC_BASE_X2APIC;
	u64 from = a->base & mode, to = base & mode;

	if ((base ^ a->base) & ~mode || to == LAPIC_BASE_X2APIC)
		return -EINVAL;
	/* 11.12.5: from x2APIC only to disabled, from there only to xAPIC */
	if ((from == mode && to == LAPIC_BASE_ENABLED) ||
	    (!from && to == mode))
		return -EINVAL;
	if (from && !to)
		lapic_reset(a, a->id, true);
	WRITE_ONCE(a->base, base);
	return 0;
}

static void raise_error(struct lapic *a, u32 error)
{
	u32 lvt = a->lvt[LAPIC_LVT_ERROR];

	a->errors |= error;
	/* An illegal vector in the LVT would be an error again, without end */
	if (!(lvt & LAPIC_LVT_MASKED) && (lvt & VECTOR_MASK) >= 16)
		lapic_accept(a, lvt, false);
}

/* ---- priorities ------------------------------------------------------- */

static u8 highest(const unsigned long *map)
{
	unsigned int i;

	/* Four words: this is shorter than a call of find_last_bit() */
	for (i = BITS_TO_LONGS(256); i--;)
		if (map[i])
			return i * BITS_PER_LONG + __fls(map[i]);
	return 0;
}

/** lapic_ppr() - the processor's priority (11.8.3.1) */
u8 lapic_ppr(const struct lapic *a)
{
	u8 isr = highest(a->isr);

	return a->tpr >> 4 >= isr >> 4 ? a->tpr : isr & 0xf0;
}

/** lapic_pending() - the highest vector that is requested, or 0 */
u8 lapic_pending(const struct lapic *a)
{
	return lapic_enabled(a) ? highest(a->irr) : 0;
}

/**
 * lapic_accept() - request an interrupt
 * @a: the APIC
 * @vector: its vector
 * @level: level-triggered: the I/O APIC is told of its EOI
 */
void lapic_accept(struct lapic *a, u8 vector, bool level)
{
	if (!lapic_enabled(a))
		return;
	if (vector < 16) {
		raise_error(a, RECEIVE_ILLEGAL_VECTOR);
		return;
	}
	__set_bit(vector, a->irr);
	__assign_bit(vector, a->tmr, level);
}

/** lapic_ack() - the guest takes @vector, which lapic_pending() returned */
void lapic_ack(struct lapic *a, u8 vector)
{
	__clear_bit(vector, a->irr);
	__set_bit(vector, a->isr);
}

static int end_of_interrupt(struct lapic *a)
{
	u8 vector = highest(a->isr);

	if (!vector)
		return 0;
	__clear_bit(vector, a->isr);
	if (!test_bit(vector, a->tmr))
		return 0;
	a->eoi_vector = vector;
	return LAPIC_DOES_EOI;
}

/**
 * lapic_eoi_is_silent() - would an EOI change nothing but ISR now?
 * @a: the APIC
 *
 * Then it need not be known at once: the I/O APIC is not told of it, and no
 * other interrupt waits for it.
 */
bool lapic_eoi_is_silent(const struct lapic *a)
{
	u8 vector = highest(a->isr);

	return vector && !test_bit(vector, a->tmr) &&
	       bitmap_empty(a->irr, 256);
}

/** lapic_takes_extint() - does LINT0 pass the PIC's interrupts to the CPU? */
bool lapic_takes_extint(const struct lapic *a)
{
	u32 lvt = a->lvt[LAPIC_LVT_LINT0];

	if (!lapic_hw_enabled(a))
		return true;
	return !(lvt & LAPIC_LVT_MASKED) &&
	       (lvt & MODE_MASK) >> 8 == LAPIC_EXTINT;
}

/* ---- destinations ----------------------------------------------------- */

/* In x2APIC mode the logical id is derived from the id (11.12.10.2) */
static u32 logical_id(const struct lapic *a)
{
	if (lapic_is_x2(a))
		return a->id >> 4 << 16 | BIT(a->id & 15);
	return READ_ONCE(a->ldr) >> 24;
}

static bool matches_logical(const struct lapic *a, u32 dest)
{
	u32 id = logical_id(a);

	if (lapic_is_x2(a))
		return dest >> 16 == id >> 16 && dest & id & 0xffff;
	/* 11.6.2.2: the flat model, or clusters of four */
	if (READ_ONCE(a->dfr) >> 28 == 0xf)
		return dest & id;
	return dest >> 4 == id >> 4 && dest & id & 0xf;
}

/**
 * lapic_matches() - does a message's destination mean this APIC?
 * @a: the APIC; may belong to another thread
 * @msg: the message; the caller handles its shorthand
 */
bool lapic_matches(const struct lapic *a, const struct lapic_msg *msg)
{
	if (!lapic_hw_enabled(a))
		return false;
	if (msg->dest == (msg->wide ? U32_MAX : 0xff))
		return true;
	return msg->logical ? matches_logical(a, msg->dest) :
			      msg->dest == a->id;
}

/** lapic_icr_msg() - the message that a write to the ICR sends */
struct lapic_msg lapic_icr_msg(const struct lapic *a)
{
	bool wide = lapic_is_x2(a);

	return (struct lapic_msg){
		.dest = wide ? a->icr >> 32 : a->icr >> 56,
		.vector = a->icr,
		.mode = (a->icr & MODE_MASK) >> 8,
		.shorthand = a->icr >> 18 & 3,
		.logical = a->icr & ICR_LOGICAL,
		.wide = wide,
		/* Matters for INIT de-assert only, see write_icr() */
		.level = false,
	};
}

/**
 * lapic_msi_msg() - the message that a device's write sends (MSI, 11.11)
 * @address: where it writes
 * @data: what it writes
 * @msg: out
 *
 * Return: 0, or -EINVAL: not the APICs' address range, or a reserved mode.
 */
int lapic_msi_msg(u64 address, u32 data, struct lapic_msg *msg)
{
	if (address >> 20 != LAPIC_BASE_ADDRESS >> 20)
		return -EINVAL;
	*msg = (struct lapic_msg){
		.dest = address >> 12 & 0xff,
		.vector = data,
		.mode = (data & MODE_MASK) >> 8,
		.logical = address & BIT(2),
		.level = data & ICR_LEVEL,
	};
	return msg->mode == LAPIC_UNHALT || msg->mode == LAPIC_SIPI ?
	       -EINVAL : 0;
}

static int write_icr(struct lapic *a, u64 icr)
{
	u8 mode = (icr & MODE_MASK) >> 8;

	a->icr = icr;
	/* INIT de-assert has a meaning for CPUs before the P4 only (11.6.1) */
	if (mode == LAPIC_INIT && icr & ICR_LEVEL && !(icr & ICR_ASSERT))
		return 0;
	if ((mode == LAPIC_FIXED || mode == LAPIC_LOWEST) &&
	    (icr & VECTOR_MASK) < 16) {
		raise_error(a, SEND_ILLEGAL_VECTOR);
		return 0;
	}
	return LAPIC_DOES_IPI;
}

/* ---- the timer -------------------------------------------------------- */

/** lapic_uses_deadline() - is the timer in TSC-deadline mode? */
bool lapic_uses_deadline(const struct lapic *a)
{
	return (a->lvt[LAPIC_LVT_TIMER] & TIMER_MODE_MASK) == TIMER_DEADLINE;
}

/*
 * TSC ticks for one count. Divisor by TDCR's code: 0: 2, 1: 4 ... 6: 128, 7: 1
 */
static u64 count_ticks(const struct lapic *a)
{
	u32 code = (a->tdcr & 3) | (a->tdcr & 8) >> 1;

	return 2ull << ((code + 1) & 7);
}

/** lapic_set_deadline() - WRMSR IA32_TSC_DEADLINE; no effect in other modes */
void lapic_set_deadline(struct lapic *a, u64 deadline)
{
	if (lapic_uses_deadline(a))
		a->deadline = deadline;
}

/** lapic_timer_expiry() - guest TSC when the timer fires next; 0: never */
u64 lapic_timer_expiry(const struct lapic *a)
{
	if (lapic_uses_deadline(a))
		return a->deadline;
	if (!a->timer_start)
		return 0;
	return a->timer_start + a->tmict * count_ticks(a);
}

/** lapic_timer_due() - is the timer armed, and has it expired by @now? */
bool lapic_timer_due(const struct lapic *a, u64 now)
{
	if (lapic_uses_deadline(a))
		return a->deadline && a->deadline <= now;
	/*
	 * A difference: a count may have begun before TSC 0 (lapic_tsc_moved()), or
	 * where the TSC is a little ahead
	 */
	return a->timer_start && (s64)(now - a->timer_start) >=
				 (s64)(a->tmict * count_ticks(a));
}

/**
 * lapic_timer_fire() - the timer has expired: request the interrupt
 * @a: the APIC
 * @now: guest TSC; lapic_timer_due() is true, for a deadline maybe of a later time
 *
 * Starts the next period. Several that have gone by make one interrupt.
 */
void lapic_timer_fire(struct lapic *a, u64 now)
{
	u32 lvt = a->lvt[LAPIC_LVT_TIMER];
	u64 period = a->tmict * count_ticks(a);

	if (lapic_uses_deadline(a))
		a->deadline = 0;
	else if (lvt & TIMER_PERIODIC)
		a->timer_start += (now - a->timer_start) / period * period;
	else
		a->timer_start = 0;
	if (!(lvt & LAPIC_LVT_MASKED))
		lapic_accept(a, lvt, false);
}

/**
 * lapic_timer_lead() - by how much earlier is the next expiry to be taken in?
 * @lead: the same for this one, in ticks
 * @late: by how much it came into the guest too late for all that; negative: it
 *	had to wait there
 * @most: the largest result
 *
 * The way into the guest is learned by an eighth of what was missing. Much more than
 * @most says nothing about the way: something came between.
 *
 * Return: 1 .. @most.
 */
u64 lapic_timer_lead(u64 lead, s64 late, u64 most)
{
	if (late > 8 * (s64)most || late < -(s64)most)
		return lead;
	return clamp_t(s64, lead + late / 8, 1, most);
}

/**
 * lapic_tsc_moved() - the guest's TSC was written
 * @a: the APIC
 * @by: its new value minus the old
 *
 * A count goes on as before. A deadline stays, since it is a value of the TSC.
 */
void lapic_tsc_moved(struct lapic *a, u64 by)
{
	if (a->timer_start)
		a->timer_start += by;
}

static u32 current_count(const struct lapic *a, u64 now)
{
	u64 gone;

	if (lapic_uses_deadline(a) || !a->timer_start)
		return 0;
	gone = (now - a->timer_start) / count_ticks(a);
	if (a->lvt[LAPIC_LVT_TIMER] & TIMER_PERIODIC)
		gone %= a->tmict;
	return gone < a->tmict ? a->tmict - gone : 0;
}

/* What is due, and nobody has looked since, was due under the old settings */
static void fire_if_due(struct lapic *a, u64 now)
{
	if (lapic_timer_due(a, now))
		lapic_timer_fire(a, now);
}

static int write_lvt(struct lapic *a, unsigned int i, u32 value, u64 now)
{
	bool was_deadline = lapic_uses_deadline(a);

	if (i == LAPIC_LVT_TIMER)
		fire_if_due(a, now);
	if (!(a->svr & LAPIC_SVR_ENABLED))
		value |= LAPIC_LVT_MASKED;
	a->lvt[i] = value & lvt_mask[i];
	if (i != LAPIC_LVT_TIMER)
		return 0;
	/* 11.5.4.1: a switch to or from the deadline mode disarms the timer */
	if (lapic_uses_deadline(a) != was_deadline) {
		a->deadline = 0;
		a->timer_start = 0;
	}
	return LAPIC_DOES_TIMER;
}

static int write_tmict(struct lapic *a, u32 value, u64 now)
{
	if (lapic_uses_deadline(a))
		return 0;
	fire_if_due(a, now);
	a->tmict = value;
	a->timer_start = value ? now : 0;
	return LAPIC_DOES_TIMER;
}

static int write_tdcr(struct lapic *a, u32 value, u64 now)
{
	u32 left;

	fire_if_due(a, now);
	left = current_count(a, now);
	a->tdcr = value & TDCR_MASK;
	/* The rest of the count goes on at the new rate */
	if (a->timer_start)
		a->timer_start = now - (a->tmict - left) * count_ticks(a);
	return LAPIC_DOES_TIMER;
}

/* ---- registers -------------------------------------------------------- */

static void write_svr(struct lapic *a, u32 value, u64 now)
{
	int i;

	fire_if_due(a, now);
	WRITE_ONCE(a->svr, value & SVR_MASK);
	/* 11.4.7.2: while software disables the APIC all LVTs are masked */
	for (i = 0; !(value & LAPIC_SVR_ENABLED) && i < LAPIC_NR_LVT; i++)
		a->lvt[i] |= LAPIC_LVT_MASKED;
}

static u32 map_word(const unsigned long *map, u32 word)
{
	return map[word / 2] >> (word & 1) * 32;
}

/**
 * lapic_read() - read a register
 * @a: the APIC
 * @reg: enum lapic_reg
 * @now: guest TSC
 * @value: out
 *
 * Return: 0, or -EINVAL: there is no readable register in this mode.
 */
int lapic_read(const struct lapic *a, u32 reg, u64 now, u64 *value)
{
	bool x2 = lapic_is_x2(a);

	switch (reg) {
	case LAPIC_ID:
		*value = x2 ? a->id : a->id << 24;
		return 0;
	case LAPIC_VERSION:
		*value = VERSION;
		return 0;
	case LAPIC_TPR:
		*value = a->tpr;
		return 0;
	case LAPIC_PPR:
		*value = lapic_ppr(a);
		return 0;
	case LAPIC_LDR:
		*value = x2 ? logical_id(a) : a->ldr;
		return 0;
	case LAPIC_SVR:
		*value = a->svr;
		return 0;
	case LAPIC_ISR ... LAPIC_ISR + 7:
		*value = map_word(a->isr, reg - LAPIC_ISR);
		return 0;
	case LAPIC_TMR ... LAPIC_TMR + 7:
		*value = map_word(a->tmr, reg - LAPIC_TMR);
		return 0;
	case LAPIC_IRR ... LAPIC_IRR + 7:
		*value = map_word(a->irr, reg - LAPIC_IRR);
		return 0;
	case LAPIC_ESR:
		*value = a->esr;
		return 0;
	case LAPIC_ICR:
		*value = x2 ? a->icr : (u32)a->icr;
		return 0;
	case LAPIC_LVT ... LAPIC_LVT + LAPIC_NR_LVT - 1:
		*value = a->lvt[reg - LAPIC_LVT];
		return 0;
	case LAPIC_TMICT:
		*value = lapic_uses_deadline(a) ? 0 : a->tmict;
		return 0;
	case LAPIC_TMCCT:
		*value = current_count(a, now);
		return 0;
	case LAPIC_TDCR:
		*value = a->tdcr;
		return 0;
	}
	if (x2)
		return -EINVAL;
	switch (reg) {
	case LAPIC_DFR:
		*value = a->dfr;
		return 0;
	case LAPIC_ICR2:
		*value = a->icr >> 32;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Registers that only the xAPIC has, or that differ from the x2APIC's */
static int write_xapic(struct lapic *a, u32 reg, u32 value)
{
	switch (reg) {
	case LAPIC_EOI:
		return end_of_interrupt(a);
	case LAPIC_LDR:
		WRITE_ONCE(a->ldr, value & LDR_MASK);
		return 0;
	case LAPIC_DFR:
		WRITE_ONCE(a->dfr, value | ~(0xfu << 28));
		return 0;
	case LAPIC_ESR:
		a->esr = a->errors;
		a->errors = 0;
		return 0;
	case LAPIC_ICR:
		return write_icr(a, (a->icr & ~0ull << 32) |
				    (value & ICR_LOW_MASK));
	case LAPIC_ICR2:
		a->icr = (u32)a->icr | (u64)(value & LDR_MASK) << 32;
		return 0;
	case LAPIC_ID:	/* software should not write it (11.4.6): ignored */
		return 0;
	default:
		return -EINVAL;
	}
}

static int write_x2apic(struct lapic *a, u32 reg, u64 value)
{
	switch (reg) {
	case LAPIC_EOI:
		return value ? -EINVAL : end_of_interrupt(a);
	case LAPIC_ESR:
		return value ? -EINVAL : write_xapic(a, reg, 0);
	case LAPIC_ICR:
		if ((u32)value & ~ICR_LOW_MASK)
			return -EINVAL;
		return write_icr(a, value);
	case LAPIC_SELF_IPI:
		if (value & ~(u64)VECTOR_MASK)
			return -EINVAL;
		if (value < 16)
			raise_error(a, SEND_ILLEGAL_VECTOR);
		else
			lapic_accept(a, value, false);
		return 0;
	default:
		return -EINVAL;
	}
}

/*
 * The writable bits of a register that both modes have; 0: any other register
 */
static u32 writable(u32 reg)
{
	switch (reg) {
	case LAPIC_TPR:
		return 0xff;
	case LAPIC_SVR:
		return SVR_MASK;
	case LAPIC_LVT ... LAPIC_LVT + LAPIC_NR_LVT - 1:
		return lvt_mask[reg - LAPIC_LVT];
	case LAPIC_TMICT:
		return U32_MAX;
	case LAPIC_TDCR:
		return TDCR_MASK;
	default:
		return 0;
	}
}

/* Figure 11-8: the bits of LVT that only the APIC changes */
static u32 read_only(u32 reg)
{
	switch (reg) {
	case LAPIC_LVT + LAPIC_LVT_LINT0:
	case LAPIC_LVT + LAPIC_LVT_LINT1:
		return DELIVERY_STATUS | REMOTE_IRR;
	default:
		return reg - LAPIC_LVT < LAPIC_NR_LVT ? DELIVERY_STATUS : 0;
	}
}

/* tour 32: the guest writes to its local APIC */

/**
 * lapic_write() - write a register
 * @a: the APIC
 * @reg: enum lapic_reg
 * @value: 32 bits; 64 bits for x2APIC's ICR
 * @now: guest TSC
 *
 * Reserved bits are ignored in xAPIC mode and refused in x2APIC mode
 * (11.12.1.3). Read-only ones are not reserved: Linux sets them when it hands
 * LINT0 back to the PIC.
 *
 * Return: LAPIC_DOES_*, or -EINVAL: #GP in x2APIC mode.
 */
int lapic_write(struct lapic *a, u32 reg, u64 value, u64 now)
{
	u32 mask = writable(reg);
	u32 status = read_only(reg);

	if (lapic_is_x2(a)) {
		if (!mask)
			return write_x2apic(a, reg, value);
		if (value & ~(u64)(mask | status))
			return -EINVAL;
	} else if (!mask) {
		return write_xapic(a, reg, value);
	}
	value &= mask;
	switch (reg) {
	case LAPIC_TPR:
		a->tpr = value;
		return 0;
	case LAPIC_SVR:
		write_svr(a, value, now);
		return 0;
	case LAPIC_TMICT:
		return write_tmict(a, value, now);
	case LAPIC_TDCR:
		return write_tdcr(a, value, now);
	default:
		return write_lvt(a, reg - LAPIC_LVT, value, now);
	}
}

/** lapic_mmio_read() - the guest reads its APIC's page at @offset */
u32 lapic_mmio_read(struct lapic *a, u32 offset, u64 now)
{
	u64 value = 0;

	/* In the other modes nothing answers at that address */
	if (lapic_is_x2(a) || !lapic_hw_enabled(a))
		return U32_MAX;
	/* 11.4.1: registers are aligned to 16 bytes */
	if (offset & 0xf || lapic_read(a, offset >> 4, now, &value))
		raise_error(a, ILLEGAL_REGISTER);
	return value;
}

/** lapic_mmio_write() - the same for a write. Return: LAPIC_DOES_* */
int lapic_mmio_write(struct lapic *a, u32 offset, u32 value, u64 now)
{
	int ret = -EINVAL;

	if (lapic_is_x2(a) || !lapic_hw_enabled(a))
		return 0;
	if (!(offset & 0xf))
		ret = lapic_write(a, offset >> 4, value, now);
	if (ret >= 0)
		return ret;
	raise_error(a, ILLEGAL_REGISTER);
	return 0;
}

/**
 * lapic_get() - the registers, for MVMM_VCPU_GET_APIC
 * @a: the APIC
 * @now: guest TSC
 * @regs: out, in the layout of struct mvmm_apic
 */
void lapic_get(const struct lapic *a, u64 now, u32 regs[256])
{
	u64 value;
	u32 reg;

	memset(regs, 0, 256 * sizeof(regs[0]));
	for (reg = 0; reg < LAPIC_NR_REGS; reg++)
		if (!lapic_read(a, reg, now, &value))
			regs[reg * 4] = value;
	regs[LAPIC_ICR2 * 4] = a->icr >> 32;
	regs[LAPIC_ESR * 4 + 1] = a->errors;
	regs[LAPIC_TMICT * 4] = a->tmict;
	/* The timer still runs; a count of 0 would say that it has fired */
	if (a->timer_start && !regs[LAPIC_TMCCT * 4])
		regs[LAPIC_TMCCT * 4] = 1;
}

static void set_map(unsigned long *map, const u32 *regs)
{
	int i;

	for (i = 0; i < 4; i++)
		map[i] = regs[i * 8] | (u64)regs[i * 8 + 4] << 32;
	/* Vectors below 16 are never accepted */
	map[0] &= ~0xfffful;
}

/**
 * lapic_set() - restore a state, for MVMM_VCPU_SET_APIC
 * @a: the APIC; keeps its id
 * @regs: from lapic_get(); read-only registers are ignored
 * @base: IA32_APIC_BASE
 * @deadline: IA32_TSC_DEADLINE
 * @now: guest TSC
 *
 * Return: 0, or -EINVAL: @base or a register has an impossible value, and
 * nothing is changed.
 */
int lapic_set(struct lapic *a, const u32 regs[256], u64 base, u64 deadline,
	      u64 now)
{
	u64 fixed = LAPIC_BASE_ADDRESS | (a->id ? 0 : LAPIC_BASE_BSP);
	u32 left = regs[LAPIC_TMCCT * 4];
	struct lapic new = {};
	int i;

	if ((base & ~(LAPIC_BASE_ENABLED | LAPIC_BASE_X2APIC)) != fixed ||
	    (base & LAPIC_BASE_X2APIC && !(base & LAPIC_BASE_ENABLED)) ||
	    regs[LAPIC_TPR * 4] & ~0xffu || regs[LAPIC_SVR * 4] & ~SVR_MASK ||
	    regs[LAPIC_TDCR * 4] & ~TDCR_MASK ||
	    regs[LAPIC_ICR * 4] & ~ICR_LOW_MASK || left > regs[LAPIC_TMICT * 4])
		return -EINVAL;
	for (i = 0; i < LAPIC_NR_LVT; i++) {
		new.lvt[i] = regs[(LAPIC_LVT + i) * 4];
		if (new.lvt[i] & ~lvt_mask[i])
			return -EINVAL;
	}
	new.id = a->id;
	new.base = base;
	new.tpr = regs[LAPIC_TPR * 4];
	new.ldr = regs[LAPIC_LDR * 4] & LDR_MASK;
	new.dfr = regs[LAPIC_DFR * 4] | ~(0xfu << 28);
	new.svr = regs[LAPIC_SVR * 4];
	new.esr = regs[LAPIC_ESR * 4];
	new.errors = regs[LAPIC_ESR * 4 + 1] & 0xff;
	new.eoi_vector = a->eoi_vector;
	new.icr = regs[LAPIC_ICR * 4] | (u64)regs[LAPIC_ICR2 * 4] << 32;
	new.tmict = regs[LAPIC_TMICT * 4];
	new.tdcr = regs[LAPIC_TDCR * 4];
	set_map(new.isr, &regs[LAPIC_ISR * 4]);
	set_map(new.tmr, &regs[LAPIC_TMR * 4]);
	set_map(new.irr, &regs[LAPIC_IRR * 4]);
	if (lapic_uses_deadline(&new))
		new.deadline = deadline;
	else if (left)
		new.timer_start = now - (new.tmict - left) * count_ticks(&new);
	*a = new;
	return 0;
}

/* ---- the virtual-APIC page (SDM vol. 3, 30.1.1) ----------------------- */

/** lapic_in_page() - can the page answer an x2APIC's read of this register? */
bool lapic_in_page(u32 reg)
{
	static const struct lapic x2 = { .base = LAPIC_BASE_X2APIC };
	u64 value;

	return reg != LAPIC_TMCCT && !lapic_read(&x2, reg, 0, &value);
}

static void map_to_page(u32 *page, const unsigned long *map)
{
	int i;

	for (i = 0; i < 8; i++)
		page[i * 4] = map_word(map, i);
}

/**
 * lapic_to_page() - write the registers that the guest reads without an exit
 * @a: the APIC
 * @page: virtual-APIC page; the CPU itself keeps PPR in it
 */
void lapic_to_page(const struct lapic *a, u32 *page)
{
	bool x2 = lapic_is_x2(a);
	int i;

	page[LAPIC_ID * 4] = x2 ? a->id : a->id << 24;
	page[LAPIC_VERSION * 4] = VERSION;
	page[LAPIC_TPR * 4] = a->tpr;
	page[LAPIC_LDR * 4] = x2 ? logical_id(a) : a->ldr;
	page[LAPIC_DFR * 4] = a->dfr;
	page[LAPIC_SVR * 4] = a->svr;
	map_to_page(&page[LAPIC_ISR * 4], a->isr);
	map_to_page(&page[LAPIC_TMR * 4], a->tmr);
	map_to_page(&page[LAPIC_IRR * 4], a->irr);
	page[LAPIC_ESR * 4] = a->esr;
	page[LAPIC_ICR * 4] = a->icr;
	/* In x2APIC mode ICR is one register of 64 bits */
	page[LAPIC_ICR * 4 + 1] = x2 ? a->icr >> 32 : 0;
	page[LAPIC_ICR2 * 4] = a->icr >> 32;
	for (i = 0; i < LAPIC_NR_LVT; i++)
		page[(LAPIC_LVT + i) * 4] = a->lvt[i];
	page[LAPIC_TMICT * 4] = lapic_uses_deadline(a) ? 0 : a->tmict;
	page[LAPIC_TDCR * 4] = a->tdcr;
}

/**
 * lapic_from_page() - fetch what the guest did to its APIC without an exit
 * @a: the APIC, unchanged since lapic_to_page()
 * @page: virtual-APIC page, which the CPU has changed since then
 */
void lapic_from_page(struct lapic *a, const u32 *page)
{
	DECLARE_BITMAP(isr, 256);
	DECLARE_BITMAP(irr, 256);
	int i;

	a->tpr = page[LAPIC_TPR * 4] & 0xff;
	set_map(isr, &page[LAPIC_ISR * 4]);
	set_map(irr, &page[LAPIC_IRR * 4]);
	for (i = 0; i < BITS_TO_LONGS(256); i++) {
		/* New interrupts are self-IPIs, which are edge-triggered */
		a->tmr[i] &= ~((isr[i] | irr[i]) & ~(a->isr[i] | a->irr[i]));
		a->isr[i] = isr[i];
		a->irr[i] = irr[i];
	}
	/*
	 * An xAPIC's ICR is written without an exit unless it sends to others
	 */
	if (!lapic_is_x2(a))
		a->icr = (page[LAPIC_ICR * 4] & ICR_LOW_MASK) |
			 (u64)(page[LAPIC_ICR2 * 4] & LDR_MASK) << 32;
}

/** lapic_intr_status() - SVI and RVI, for the VMCS (SDM vol. 3, 25.4.2) */
u16 lapic_intr_status(const struct lapic *a)
{
	return highest(a->isr) << 8 | highest(a->irr);
}

/** lapic_eoi_exits() - EOI-exit bitmap: EOIs of which the I/O APIC is told */
void lapic_eoi_exits(const struct lapic *a, u64 bitmap[4])
{
	int i;

	for (i = 0; i < BITS_TO_LONGS(256); i++)
		bitmap[i] = a->tmr[i] & (a->isr[i] | a->irr[i]);
}
