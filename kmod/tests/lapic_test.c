// SPDX-License-Identifier: GPL-2.0
/* The local APIC: modes, registers, priorities, messages, the timer. */

#define XAPIC	(LAPIC_BASE_ADDRESS | LAPIC_BASE_ENABLED)
#define X2APIC	(XAPIC | LAPIC_BASE_X2APIC)

/* Enabled by software; @x2: in x2APIC mode, else in xAPIC mode */
static struct lapic apic_of(u32 id, bool x2)
{
	struct lapic a = {};

	lapic_reset(&a, id, false);
	if (x2)
		lapic_set_base(&a, a.base | LAPIC_BASE_X2APIC);
	lapic_write(&a, LAPIC_SVR, LAPIC_SVR_ENABLED | 0xff, 0);
	return a;
}

static u64 reg_of(const struct lapic *a, u32 reg, u64 now)
{
	u64 value = 0xdead;

	return lapic_read(a, reg, now, &value) ? 0xdead : value;
}

static void lapic_after_reset(struct kunit *test)
{
	struct lapic a = apic_of(3, false);
	int i;

	/* Set everything that INIT has to clear */
	lapic_write(&a, LAPIC_TPR, 0x55, 0);
	lapic_write(&a, LAPIC_LDR, 0x12345678, 0);
	lapic_write(&a, LAPIC_DFR, 0, 0);
	lapic_write(&a, LAPIC_ICR2, 0xff000000, 0);
	lapic_write(&a, LAPIC_ICR, 0x4041, 0);
	lapic_write(&a, LAPIC_TMICT, 1000, 5);
	lapic_write(&a, LAPIC_TDCR, 0xb, 5);
	lapic_accept(&a, 0x40, true);
	lapic_accept(&a, 0x50, false);
	lapic_accept(&a, 7, false);
	lapic_ack(&a, 0x50);
	a.eoi_vector = 0x61;
	lapic_reset(&a, 3, true);
	/* For an MVMM_EXIT_EOI that is still to come */
	KUNIT_EXPECT_EQ(test, 0x61, a.eoi_vector);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_ID, 9), 3ULL << 24);
		/* Version 0x14: an integrated APIC; six LVT entries */
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_VERSION, 9), 0x50014ULL);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TPR, 9), 0ULL);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_PPR, 9), 0ULL);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_LDR, 9), 0ULL);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_DFR, 9), 0xffffffffULL);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_SVR, 9), 0xffULL);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_ICR, 9), 0ULL);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_ICR2, 9), 0ULL);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMICT, 9), 0ULL);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMCCT, 9), 0ULL);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TDCR, 9), 0ULL);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_LVT, 9), 0x10000ULL);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_LVT + 5, 9), 0x10000ULL);
		KUNIT_EXPECT_TRUE(test, bitmap_empty(a.irr, 256) &&
				  bitmap_empty(a.isr, 256) &&
				  bitmap_empty(a.tmr, 256));
		KUNIT_EXPECT_EQ(test, a.errors | a.esr, 0U);
		KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
		KUNIT_EXPECT_FALSE(test, lapic_enabled(&a));
		KUNIT_EXPECT_FALSE(test, lapic_takes_extint(&a));
		KUNIT_EXPECT_EQ(test, a.base, XAPIC);
		/* The second round looks at it after power-up */
		lapic_reset(&a, 3, false);
	}
	/* INIT keeps the mode; power-up sets xAPIC mode */
	a = apic_of(0, true);
	KUNIT_EXPECT_EQ(test, a.base, X2APIC | LAPIC_BASE_BSP);
	lapic_reset(&a, 0, true);
	KUNIT_EXPECT_EQ(test, a.base, X2APIC | LAPIC_BASE_BSP);
	lapic_reset(&a, 0, false);
	KUNIT_EXPECT_EQ(test, a.base, XAPIC | LAPIC_BASE_BSP);
}

/* SDM vol. 3, figure 11-27: disabled, (invalid), xAPIC, x2APIC */
static void lapic_mode_changes(struct kunit *test)
{
	static const u64 mode[4] = {
		0, LAPIC_BASE_X2APIC, LAPIC_BASE_ENABLED,
		LAPIC_BASE_ENABLED | LAPIC_BASE_X2APIC };
	/* [from][to] */
	static const bool allowed[4][4] = {
		{ true, false, true, false },
		{ false, false, false, false },	/* cannot be entered */
		{ true, false, true, true },
		{ true, false, false, true } };
	struct lapic a;
	int from, to;

	for (from = 0; from < 4; from++) {
		for (to = 0; to < 4; to++) {
			u64 was = LAPIC_BASE_ADDRESS | mode[from];
			u64 want = LAPIC_BASE_ADDRESS | mode[to];
			int ret;

			if (from == 1)
				continue;
			a = apic_of(1, false);
			a.base = was;
			a.tpr = 0x30;
			ret = lapic_set_base(&a, want);
			KUNIT_EXPECT_EQ_MSG(test, ret,
					    allowed[from][to] ? 0 : -EINVAL,
					    "%d to %d", from, to);
			KUNIT_EXPECT_EQ(test, a.base, ret ? was : want);
			/* Disabling resets it (11.4.3) */
			KUNIT_EXPECT_EQ_MSG(test, a.tpr,
					    !ret && from && !to ? 0U : 0x30U,
					    "%d to %d", from, to);
		}
	}
	a = apic_of(1, false);
	/* The page's address, reserved bits and BSP cannot be changed */
	KUNIT_EXPECT_EQ(test, lapic_set_base(&a, XAPIC + 0x1000), -EINVAL);
	KUNIT_EXPECT_EQ(test, lapic_set_base(&a, XAPIC | 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, lapic_set_base(&a, XAPIC | BIT(9)), -EINVAL);
	KUNIT_EXPECT_EQ(test, lapic_set_base(&a, XAPIC | BIT_ULL(52)), -EINVAL);
	KUNIT_EXPECT_EQ(test, lapic_set_base(&a, XAPIC | LAPIC_BASE_BSP),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, a.base, XAPIC);
	/* Disabling drops interrupts that wait */
	lapic_accept(&a, 0x40, false);
	KUNIT_EXPECT_EQ(test, lapic_set_base(&a, LAPIC_BASE_ADDRESS), 0);
	KUNIT_EXPECT_FALSE(test, lapic_hw_enabled(&a));
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0);
	KUNIT_EXPECT_EQ(test, lapic_set_base(&a, XAPIC), 0);
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0);
	KUNIT_EXPECT_FALSE(test, lapic_enabled(&a));
}

/* Which accesses each register allows in xAPIC and in x2APIC mode */
struct access_rule {
	u32 reg;
	bool read, read_x2, write, write_x2;
	u64 bits;	/* the writable ones; 0: not tested bit by bit */
	u64 harmless;	/* not writable, but no #GP in x2APIC mode */
};

static const struct access_rule access_rules[] = {
	{ LAPIC_ID, true, true, true, false },
	{ LAPIC_VERSION, true, true, false, false },
	{ LAPIC_TPR, true, true, true, true, 0xff },
	{ 0x09, false, false, false, false },	/* arbitration priority */
	{ LAPIC_PPR, true, true, false, false },
	{ LAPIC_EOI, false, false, true, true },
	{ 0x0c, false, false, false, false },	/* remote read */
	{ LAPIC_LDR, true, true, true, false },
	{ LAPIC_DFR, true, false, true, false },
	{ LAPIC_SVR, true, true, true, true, 0x1ff },
	{ LAPIC_ISR, true, true, false, false },
	{ LAPIC_ISR + 7, true, true, false, false },
	{ LAPIC_TMR, true, true, false, false },
	{ LAPIC_TMR + 7, true, true, false, false },
	{ LAPIC_IRR, true, true, false, false },
	{ LAPIC_IRR + 7, true, true, false, false },
	{ LAPIC_ESR, true, true, true, true },
	{ 0x2f, false, false, false, false },	/* LVT CMCI */
	{ LAPIC_ICR, true, true, true, true, 0xccfff },
	{ LAPIC_ICR2, true, false, true, false },
	{ LAPIC_LVT + LAPIC_LVT_TIMER, true, true, true, true, 0x700ff,
	  BIT(12) },
	{ LAPIC_LVT + LAPIC_LVT_THERMAL, true, true, true, true, 0x107ff,
	  BIT(12) },
	{ LAPIC_LVT + LAPIC_LVT_PERF, true, true, true, true, 0x107ff,
	  BIT(12) },
	{ LAPIC_LVT + LAPIC_LVT_LINT0, true, true, true, true, 0x1a7ff,
	  BIT(12) | BIT(14) },
	{ LAPIC_LVT + LAPIC_LVT_LINT1, true, true, true, true, 0x1a7ff,
	  BIT(12) | BIT(14) },
	{ LAPIC_LVT + LAPIC_LVT_ERROR, true, true, true, true, 0x100ff,
	  BIT(12) },
	{ LAPIC_TMICT, true, true, true, true, 0xffffffff },
	{ LAPIC_TMCCT, true, true, false, false },
	{ 0x3a, false, false, false, false },
	{ LAPIC_TDCR, true, true, true, true, 0xb },
	{ LAPIC_SELF_IPI, false, false, false, true },
	{ LAPIC_NR_REGS, false, false, false, false },
	{ 0xff, false, false, false, false },
};

static void lapic_access(struct kunit *test)
{
	int i, bit, x2;
	u64 value;

	for (i = 0; i < ARRAY_SIZE(access_rules); i++) {
		const struct access_rule *r = &access_rules[i];

		for (x2 = 0; x2 < 2; x2++) {
			struct lapic a = apic_of(5, x2);
			int ret = lapic_read(&a, r->reg, 0, &value);
			/* Not 0 for ICR: that would be an illegal vector */
			u64 legal = r->reg == LAPIC_ICR ? 0x40 : 0;

			KUNIT_EXPECT_EQ_MSG(test, !ret,
					    x2 ? r->read_x2 : r->read,
					    "read %x, mode %d", r->reg, x2);
			ret = lapic_write(&a, r->reg, legal, 0);
			KUNIT_EXPECT_EQ_MSG(test, ret >= 0,
					    x2 ? r->write_x2 : r->write,
					    "write %x, mode %d", r->reg, x2);
		}
	}
	/* A bit that is not writable is ignored; in x2APIC mode it is #GP */
	for (i = 0; i < ARRAY_SIZE(access_rules); i++) {
		const struct access_rule *r = &access_rules[i];

		for (bit = 0; r->bits && bit < 64; bit++) {
			u64 v = BIT_ULL(bit);
			struct lapic a = apic_of(5, false);
			struct lapic b = apic_of(5, true);
			bool keeps = r->bits & v, wide = r->reg == LAPIC_ICR;
			int ret;

			ret = lapic_write(&a, r->reg, (u32)v, 0);
			KUNIT_EXPECT_GE(test, ret, 0);
			if (bit < 32 && r->reg != LAPIC_LVT)
				KUNIT_EXPECT_EQ_MSG(test,
						    reg_of(&a, r->reg, 0) & v,
						    keeps ? v : 0,
						    "%x, bit %d", r->reg, bit);
			ret = lapic_write(&b, r->reg, v, 0);
			KUNIT_EXPECT_EQ_MSG(test, ret >= 0,
					    keeps || v & r->harmless ||
					    (wide && bit >= 32),
					    "%x, bit %d", r->reg, bit);
			if (v & r->harmless)
				KUNIT_EXPECT_EQ(test, reg_of(&b, r->reg, 0) & v,
						0ULL);
		}
	}
}

static void lapic_special_registers(struct kunit *test)
{
	struct lapic a = apic_of(0x25, false), b = apic_of(0x25, true);

	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_ID, 0), 0x25000000ULL);
	KUNIT_EXPECT_EQ(test, reg_of(&b, LAPIC_ID, 0), 0x25ULL);
	/* A write of ID has no effect, and is no error */
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_ID, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_ID, 0), 0x25000000ULL);
	lapic_write(&a, LAPIC_LDR, 0x81ffffff, 0);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_LDR, 0), 0x81000000ULL);
	KUNIT_EXPECT_EQ(test, reg_of(&b, LAPIC_LDR, 0), 0x20020ULL);
	lapic_write(&a, LAPIC_DFR, 0, 0);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_DFR, 0), 0x0fffffffULL);
	/* In x2APIC mode only 0 may be written to EOI and ESR */
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_EOI, 5, 0), 0);
	KUNIT_EXPECT_EQ(test, lapic_write(&b, LAPIC_EOI, 5, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, lapic_write(&b, LAPIC_EOI, BIT_ULL(32), 0),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_ESR, 5, 0), 0);
	KUNIT_EXPECT_EQ(test, lapic_write(&b, LAPIC_ESR, 1, 0), -EINVAL);
	/* Self IPI */
	KUNIT_EXPECT_EQ(test, lapic_write(&b, LAPIC_SELF_IPI, 0x100, 0),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, lapic_write(&b, LAPIC_SELF_IPI, 0x81, 0), 0);
	KUNIT_EXPECT_EQ(test, lapic_pending(&b), 0x81);
	KUNIT_EXPECT_EQ(test, reg_of(&b, LAPIC_IRR + 4, 0), 2ULL);
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_SELF_IPI, 0x81, 0),
			-EINVAL);
	/* In x2APIC mode ICR is one register of 64 bits; else it is two */
	KUNIT_EXPECT_EQ(test, lapic_write(&b, LAPIC_ICR,
					  0x123456780000c041ULL, 0),
			LAPIC_DOES_IPI);
	KUNIT_EXPECT_EQ(test, reg_of(&b, LAPIC_ICR, 0), 0x123456780000c041ULL);
	lapic_write(&a, LAPIC_ICR2, ~0u, 0);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_ICR2, 0), 0xff000000ULL);
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_ICR, 0x41, 0),
			LAPIC_DOES_IPI);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_ICR2, 0), 0xff000000ULL);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_ICR, 0), 0x41ULL);
}

static void lapic_mmio(struct kunit *test)
{
	struct lapic a = apic_of(2, false), b = apic_of(2, true);

	KUNIT_EXPECT_EQ(test, lapic_mmio_read(&a, 0x20, 0), 2U << 24);
	KUNIT_EXPECT_EQ(test, lapic_mmio_read(&a, 0x30, 0), 0x50014U);
	KUNIT_EXPECT_EQ(test, a.errors, 0U);
	/*
	 * An unaligned read; a read without a register; an unaligned write; a
	 * write without a register
	 */
	lapic_mmio_read(&a, 0x24, 0);
	KUNIT_EXPECT_EQ(test, a.errors, BIT(7));
	a.errors = 0;
	KUNIT_EXPECT_EQ(test, lapic_mmio_read(&a, 0xff0, 0), 0U);
	KUNIT_EXPECT_EQ(test, a.errors, BIT(7));
	a.errors = 0;
	KUNIT_EXPECT_EQ(test, lapic_mmio_write(&a, 0x81, 0x20, 0), 0);
	KUNIT_EXPECT_EQ(test, a.tpr, 0U);
	KUNIT_EXPECT_EQ(test, a.errors, BIT(7));
	a.errors = 0;
	KUNIT_EXPECT_EQ(test, lapic_mmio_write(&a, 0x3f0, 0x41, 0), 0);
	KUNIT_EXPECT_EQ(test, a.errors, BIT(7));
	/* A write to ESR makes the errors visible */
	KUNIT_EXPECT_EQ(test, lapic_mmio_read(&a, 0x280, 0), 0U);
	lapic_mmio_write(&a, 0x280, 0, 0);
	KUNIT_EXPECT_EQ(test, lapic_mmio_read(&a, 0x280, 0), 0x80U);
	lapic_mmio_write(&a, 0x280, 0, 0);
	KUNIT_EXPECT_EQ(test, lapic_mmio_read(&a, 0x280, 0), 0U);
	KUNIT_EXPECT_EQ(test, lapic_mmio_write(&a, 0x80, 0x120, 0), 0);
	KUNIT_EXPECT_EQ(test, a.tpr, 0x20U);
	KUNIT_EXPECT_EQ(test, lapic_mmio_write(&a, 0x300, 0x41, 0),
			LAPIC_DOES_IPI);
	KUNIT_EXPECT_EQ(test, lapic_mmio_write(&a, 0x380, 5, 1),
			LAPIC_DOES_TIMER);
	/* In the other modes the page does not answer */
	KUNIT_EXPECT_EQ(test, lapic_mmio_read(&b, 0x20, 0), ~0U);
	KUNIT_EXPECT_EQ(test, lapic_mmio_write(&b, 0x80, 0x20, 0), 0);
	KUNIT_EXPECT_EQ(test, b.tpr | b.errors, 0U);
	lapic_set_base(&a, LAPIC_BASE_ADDRESS);
	KUNIT_EXPECT_EQ(test, lapic_mmio_read(&a, 0x20, 0), ~0U);
	KUNIT_EXPECT_EQ(test, lapic_mmio_write(&a, 0x80, 0x20, 0), 0);
	KUNIT_EXPECT_EQ(test, a.tpr | a.errors, 0U);
}

static bool deliverable(const struct lapic *a)
{
	return lapic_pending(a) >> 4 > lapic_ppr(a) >> 4;
}

static void lapic_priorities(struct kunit *test)
{
	struct lapic a = apic_of(0, true);

	KUNIT_EXPECT_FALSE(test, deliverable(&a));
	lapic_accept(&a, 0x35, false);
	lapic_accept(&a, 0x51, false);
	lapic_accept(&a, 0x35, false);	/* is merged */
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0x51);
	KUNIT_EXPECT_TRUE(test, deliverable(&a));
	/* TPR holds back its own class and lower ones */
	lapic_write(&a, LAPIC_TPR, 0x50, 0);
	KUNIT_EXPECT_FALSE(test, deliverable(&a));
	KUNIT_EXPECT_EQ(test, lapic_ppr(&a), 0x50);
	lapic_write(&a, LAPIC_TPR, 0x4f, 0);
	KUNIT_EXPECT_TRUE(test, deliverable(&a));
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_PPR, 0), 0x4fULL);
	lapic_ack(&a, 0x51);
	KUNIT_EXPECT_EQ(test, lapic_ppr(&a), 0x50);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_ISR + 2, 0), 0x20000ULL);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_IRR + 2, 0), 0ULL);
	/* 0x51, in service, blocks 0x35 and its own class, but no higher one */
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0x35);
	KUNIT_EXPECT_FALSE(test, deliverable(&a));
	lapic_accept(&a, 0x5f, false);
	KUNIT_EXPECT_FALSE(test, deliverable(&a));
	lapic_accept(&a, 0xf0, false);
	KUNIT_EXPECT_TRUE(test, deliverable(&a));
	lapic_ack(&a, 0xf0);
	KUNIT_EXPECT_EQ(test, lapic_ppr(&a), 0xf0);
	/* The vector that is in service, once more: it waits in IRR */
	lapic_accept(&a, 0xf0, false);
	KUNIT_EXPECT_FALSE(test, deliverable(&a));
	/* EOI ends the highest vector in service */
	lapic_write(&a, LAPIC_EOI, 0, 0);
	KUNIT_EXPECT_EQ(test, lapic_ppr(&a), 0x50);
	KUNIT_EXPECT_TRUE(test, deliverable(&a));
	lapic_ack(&a, 0xf0);
	lapic_write(&a, LAPIC_EOI, 0, 0);
	lapic_write(&a, LAPIC_EOI, 0, 0);
	/* Now TPR is the limit again, and lets 0x5f pass */
	KUNIT_EXPECT_EQ(test, lapic_ppr(&a), 0x4f);
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0x5f);
	KUNIT_EXPECT_TRUE(test, deliverable(&a));
	lapic_ack(&a, 0x5f);
	lapic_write(&a, LAPIC_EOI, 0, 0);
	KUNIT_EXPECT_FALSE(test, deliverable(&a));
	lapic_write(&a, LAPIC_TPR, 0x20, 0);
	KUNIT_EXPECT_TRUE(test, deliverable(&a));
	lapic_ack(&a, 0x35);
	lapic_write(&a, LAPIC_EOI, 0, 0);
	/* An EOI with nothing in service has no effect */
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_EOI, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0);
	KUNIT_EXPECT_EQ(test, lapic_ppr(&a), 0x20);
	/* Vectors 16 .. 31 are of class 1 */
	lapic_write(&a, LAPIC_TPR, 0, 0);
	lapic_accept(&a, 16, false);
	KUNIT_EXPECT_TRUE(test, deliverable(&a));
	lapic_write(&a, LAPIC_TPR, 0xff, 0);
	lapic_accept(&a, 0xff, false);
	KUNIT_EXPECT_FALSE(test, deliverable(&a));
}

static void lapic_eoi_of_level(struct kunit *test)
{
	struct lapic a = apic_of(0, false);

	lapic_accept(&a, 0x60, true);
	lapic_accept(&a, 0x70, false);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMR + 3, 0), 1ULL);
	lapic_ack(&a, 0x70);
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_EOI, 0, 0), 0);
	lapic_ack(&a, 0x60);
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_EOI, 0, 0), LAPIC_DOES_EOI);
	KUNIT_EXPECT_EQ(test, a.eoi_vector, 0x60);
	/* The same vector, now edge-triggered */
	lapic_accept(&a, 0x60, false);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMR + 3, 0), 0ULL);
	lapic_ack(&a, 0x60);
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_EOI, 0, 0), 0);
}

/*
 * PV EOI may be offered only for an edge-triggered interrupt, and only if no
 * interrupt waits, of whatever priority
 */
static void lapic_silent_eoi(struct kunit *test)
{
	struct lapic a = apic_of(0, true);

	KUNIT_EXPECT_FALSE(test, lapic_eoi_is_silent(&a));
	lapic_accept(&a, 0x50, false);
	KUNIT_EXPECT_FALSE(test, lapic_eoi_is_silent(&a));
	lapic_ack(&a, 0x50);
	KUNIT_EXPECT_TRUE(test, lapic_eoi_is_silent(&a));
	lapic_accept(&a, 0x40, false);
	KUNIT_EXPECT_FALSE(test, lapic_eoi_is_silent(&a));
	lapic_ack(&a, 0x40);
	KUNIT_EXPECT_TRUE(test, lapic_eoi_is_silent(&a));
	/* The highest vector in service is level-triggered */
	lapic_accept(&a, 0x60, true);
	lapic_ack(&a, 0x60);
	KUNIT_EXPECT_FALSE(test, lapic_eoi_is_silent(&a));
	lapic_write(&a, LAPIC_EOI, 0, 0);
	KUNIT_EXPECT_TRUE(test, lapic_eoi_is_silent(&a));
}

static void lapic_software_disable(struct kunit *test)
{
	struct lapic a = apic_of(0, true);
	int i;

	for (i = 0; i < LAPIC_NR_LVT; i++)
		lapic_write(&a, LAPIC_LVT + i, 0x40 + i, 0);
	lapic_accept(&a, 0x80, false);
	lapic_write(&a, LAPIC_TMICT, 1000, 1);
	lapic_write(&a, LAPIC_SVR, 0xff, 1);
	KUNIT_EXPECT_FALSE(test, lapic_enabled(&a));
	KUNIT_EXPECT_TRUE(test, lapic_hw_enabled(&a));
	for (i = 0; i < LAPIC_NR_LVT; i++) {
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_LVT + i, 1),
				0x10040ULL + i);
		/* The mask cannot be cleared while it is disabled */
		lapic_write(&a, LAPIC_LVT + i, 0x50, 1);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_LVT + i, 1),
				0x10050ULL);
	}
	/* It keeps what waits (11.4.7.2), and accepts nothing new */
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0);
	lapic_accept(&a, 0x90, false);
	lapic_write(&a, LAPIC_SELF_IPI, 0x91, 1);
	lapic_timer_fire(&a, 5000);
	/* It still sends, here an INIT */
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_ICR, 0x4500, 1),
			LAPIC_DOES_IPI);
	lapic_write(&a, LAPIC_SVR, 0x1ff, 1);
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0x80);
	/* Enabling it does not clear the masks */
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_LVT, 1), 0x10050ULL);
	/* While it is disabled ISR still counts for PPR, and EOI works */
	lapic_ack(&a, 0x80);
	lapic_write(&a, LAPIC_SVR, 0xff, 1);
	KUNIT_EXPECT_EQ(test, lapic_ppr(&a), 0x80);
	lapic_write(&a, LAPIC_EOI, 0, 1);
	KUNIT_EXPECT_EQ(test, lapic_ppr(&a), 0);
}

static void lapic_errors(struct kunit *test)
{
	struct lapic a = apic_of(0, true);
	u64 esr;

	/* Illegal vectors (11.5.3): bit 5 when sent, bit 6 when received */
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_ICR, 15, 0), 0);
	KUNIT_EXPECT_EQ(test, a.errors, BIT(5));
	a.errors = 0;
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_ICR, 0x10f, 0), 0);
	KUNIT_EXPECT_EQ(test, a.errors, BIT(5));
	a.errors = 0;
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_SELF_IPI, 15, 0), 0);
	KUNIT_EXPECT_EQ(test, a.errors, BIT(5));
	lapic_accept(&a, 15, false);
	KUNIT_EXPECT_EQ(test, a.errors, BIT(5) | BIT(6));
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0);
	/* NMI, INIT and SIPI may have any value in the vector's place */
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_ICR, 0x400, 0),
			LAPIC_DOES_IPI);
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_ICR, 0x4500, 0),
			LAPIC_DOES_IPI);
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_ICR, 0x4601, 0),
			LAPIC_DOES_IPI);
	/* A read shows the errors up to the last write */
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_ESR, 0), 0ULL);
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_ESR, 0, 0), 0);
	esr = reg_of(&a, LAPIC_ESR, 0);
	KUNIT_EXPECT_EQ(test, esr, 0x60ULL);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_ESR, 0), 0x60ULL);
	lapic_write(&a, LAPIC_ESR, 0, 0);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_ESR, 0), 0ULL);
	/*
	 * The error interrupt. If its own vector is illegal, that is not an
	 * error that raises it again.
	 */
	lapic_write(&a, LAPIC_LVT + LAPIC_LVT_ERROR, 0xfe, 0);
	lapic_accept(&a, 3, false);
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0xfe);
	lapic_ack(&a, 0xfe);
	lapic_write(&a, LAPIC_EOI, 0, 0);
	lapic_write(&a, LAPIC_LVT + LAPIC_LVT_ERROR, 5, 0);
	lapic_accept(&a, 3, false);
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0);
	/* The timer's interrupt has an illegal vector */
	a.errors = 0;
	lapic_write(&a, LAPIC_LVT, 8, 0);
	lapic_write(&a, LAPIC_TMICT, 1, 1);
	lapic_timer_fire(&a, 100);
	KUNIT_EXPECT_EQ(test, a.errors, BIT(6));
}

static bool reaches(const struct lapic *a, u32 dest, bool logical, bool wide)
{
	struct lapic_msg msg = { .dest = dest, .logical = logical,
				 .wide = wide };

	return lapic_matches(a, &msg);
}

static void lapic_destinations(struct kunit *test)
{
	struct lapic a = apic_of(5, false), b = apic_of(0x25, true);

	/* Physical */
	KUNIT_EXPECT_TRUE(test, reaches(&a, 5, false, false));
	KUNIT_EXPECT_FALSE(test, reaches(&a, 4, false, false));
	KUNIT_EXPECT_TRUE(test, reaches(&b, 0x25, false, true));
	KUNIT_EXPECT_TRUE(test, reaches(&b, 0x25, false, false));
	KUNIT_EXPECT_FALSE(test, reaches(&b, 0x125, false, true));
	/* Broadcast: all bits set, in the sender's mode */
	KUNIT_EXPECT_TRUE(test, reaches(&a, 0xff, false, false));
	KUNIT_EXPECT_TRUE(test, reaches(&a, 0xff, true, false));
	KUNIT_EXPECT_TRUE(test, reaches(&b, 0xff, false, false));
	KUNIT_EXPECT_FALSE(test, reaches(&b, 0xff, false, true));
	KUNIT_EXPECT_TRUE(test, reaches(&b, ~0u, false, true));
	KUNIT_EXPECT_TRUE(test, reaches(&b, ~0u, true, true));
	/* Logical, flat */
	lapic_write(&a, LAPIC_LDR, 0x12000000, 0);
	KUNIT_EXPECT_TRUE(test, reaches(&a, 0x10, true, false));
	KUNIT_EXPECT_TRUE(test, reaches(&a, 0x2f, true, false));
	KUNIT_EXPECT_FALSE(test, reaches(&a, 0xed, true, false));
	KUNIT_EXPECT_FALSE(test, reaches(&a, 0, true, false));
	/* Logical, cluster 1, member 2 */
	lapic_write(&a, LAPIC_DFR, 0, 0);
	KUNIT_EXPECT_TRUE(test, reaches(&a, 0x12, true, false));
	KUNIT_EXPECT_TRUE(test, reaches(&a, 0x1f, true, false));
	KUNIT_EXPECT_FALSE(test, reaches(&a, 0x1d, true, false));
	KUNIT_EXPECT_FALSE(test, reaches(&a, 0x22, true, false));
	KUNIT_EXPECT_TRUE(test, reaches(&a, 0xff, true, false));
	/* Logical in x2APIC mode: cluster 2, member 5 */
	KUNIT_EXPECT_TRUE(test, reaches(&b, 0x20020, true, true));
	KUNIT_EXPECT_TRUE(test, reaches(&b, 0x2ffff, true, true));
	KUNIT_EXPECT_FALSE(test, reaches(&b, 0x2ffdf, true, true));
	KUNIT_EXPECT_FALSE(test, reaches(&b, 0x30020, true, true));
	KUNIT_EXPECT_FALSE(test, reaches(&b, 0x00020, true, true));
	/* Disabled by software it still gets messages; by hardware none */
	lapic_write(&a, LAPIC_SVR, 0xff, 0);
	KUNIT_EXPECT_TRUE(test, reaches(&a, 5, false, false));
	lapic_set_base(&a, LAPIC_BASE_ADDRESS);
	KUNIT_EXPECT_FALSE(test, reaches(&a, 5, false, false));
	KUNIT_EXPECT_FALSE(test, reaches(&a, 0xff, false, false));
}

static void lapic_icr(struct kunit *test)
{
	static const struct {
		u32 low;
		u8 vector, mode, shorthand;
		bool logical;
		int does;
	} cases[] = {
		{ 0x00041, 0x41, LAPIC_FIXED, LAPIC_TO_DEST, false, 1 },
		{ 0x04841, 0x41, LAPIC_FIXED, LAPIC_TO_DEST, true, 1 },
		{ 0x04941, 0x41, LAPIC_LOWEST, LAPIC_TO_DEST, true, 1 },
		{ 0x444f0, 0xf0, LAPIC_NMI, LAPIC_TO_SELF, false, 1 },
		{ 0x84030, 0x30, LAPIC_FIXED, LAPIC_TO_ALL, false, 1 },
		{ 0xc4400, 0x00, LAPIC_NMI, LAPIC_TO_OTHERS, false, 1 },
		{ 0x00500, 0x00, LAPIC_INIT, LAPIC_TO_DEST, false, 1 },
		{ 0x0c500, 0x00, LAPIC_INIT, LAPIC_TO_DEST, false, 1 },
		{ 0x08500, 0x00, LAPIC_INIT, LAPIC_TO_DEST, false, 0 },
		{ 0x88500, 0x00, LAPIC_INIT, LAPIC_TO_ALL, false, 0 },
		{ 0xc4612, 0x12, LAPIC_SIPI, LAPIC_TO_OTHERS, false, 1 },
	};
	struct lapic_msg msg;
	int i, x2;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		for (x2 = 0; x2 < 2; x2++) {
			struct lapic a = apic_of(0, x2);
			u64 icr = cases[i].low;
			int does;

			if (x2)
				icr |= 0x12345678ULL << 32;
			else
				lapic_write(&a, LAPIC_ICR2, 0x9a000000, 0);
			does = lapic_write(&a, LAPIC_ICR, icr, 0);
			KUNIT_EXPECT_EQ_MSG(test, does,
					    cases[i].does ? LAPIC_DOES_IPI : 0,
					    "case %d, mode %d", i, x2);
			msg = lapic_icr_msg(&a);
			KUNIT_EXPECT_EQ(test, msg.dest,
					x2 ? 0x12345678U : 0x9aU);
			KUNIT_EXPECT_EQ(test, msg.wide, !!x2);
			KUNIT_EXPECT_EQ(test, msg.vector, cases[i].vector);
			KUNIT_EXPECT_EQ(test, msg.mode, cases[i].mode);
			KUNIT_EXPECT_EQ(test, msg.shorthand,
					cases[i].shorthand);
			KUNIT_EXPECT_EQ(test, msg.logical, cases[i].logical);
			KUNIT_EXPECT_FALSE(test, msg.level);
		}
	}
}

static void lapic_msi(struct kunit *test)
{
	struct lapic_msg msg;

	KUNIT_EXPECT_EQ(test, lapic_msi_msg(0xfee12000, 0x4041, &msg), 0);
	KUNIT_EXPECT_EQ(test, msg.dest, 0x12U);
	KUNIT_EXPECT_EQ(test, msg.vector, 0x41);
	KUNIT_EXPECT_EQ(test, msg.mode, LAPIC_FIXED);
	KUNIT_EXPECT_EQ(test, msg.shorthand, LAPIC_TO_DEST);
	KUNIT_EXPECT_FALSE(test, msg.logical || msg.wide || msg.level);
	KUNIT_EXPECT_EQ(test, lapic_msi_msg(0xfeeff00c, 0xc1fe, &msg), 0);
	KUNIT_EXPECT_EQ(test, msg.dest, 0xffU);
	KUNIT_EXPECT_EQ(test, msg.vector, 0xfe);
	KUNIT_EXPECT_EQ(test, msg.mode, LAPIC_LOWEST);
	KUNIT_EXPECT_TRUE(test, msg.logical && msg.level);
	KUNIT_EXPECT_EQ(test, lapic_msi_msg(0xfee00000, 0x400, &msg), 0);
	KUNIT_EXPECT_EQ(test, lapic_msi_msg(0xfee00000, 0x500, &msg), 0);
	KUNIT_EXPECT_EQ(test, lapic_msi_msg(0xfee00000, 0x700, &msg), 0);
	/* A reserved mode; SIPI; addresses out of the APICs' range */
	KUNIT_EXPECT_EQ(test, lapic_msi_msg(0xfee00000, 0x341, &msg), -EINVAL);
	KUNIT_EXPECT_EQ(test, lapic_msi_msg(0xfee00000, 0x641, &msg), -EINVAL);
	KUNIT_EXPECT_EQ(test, lapic_msi_msg(0xfed00000, 0x41, &msg), -EINVAL);
	KUNIT_EXPECT_EQ(test, lapic_msi_msg(0xfef00000, 0x41, &msg), -EINVAL);
	KUNIT_EXPECT_EQ(test, lapic_msi_msg(0x1fee00000, 0x41, &msg), -EINVAL);
	KUNIT_EXPECT_EQ(test, lapic_msi_msg(0, 0x41, &msg), -EINVAL);
}

/* SDM vol. 3, figure 11-10. The timer's clock has half the rate of the TSC. */
static void lapic_timer_divisors(struct kunit *test)
{
	static const u8 tdcr[8] = { 0xb, 0, 1, 2, 3, 8, 9, 0xa };
	struct lapic a;
	u64 count;
	int i;

	for (i = 0; i < 8; i++) {
		a = apic_of(0, true);
		count = 2ULL << i;
		lapic_write(&a, LAPIC_TDCR, tdcr[i], 0);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TDCR, 0), (u64)tdcr[i]);
		KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_TMICT, 10, 1000),
				LAPIC_DOES_TIMER);
		KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a),
				1000 + 10 * count);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMCCT, 1000), 10ULL);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMCCT, 999 + count),
				10ULL);
		KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMCCT, 1000 + count),
				9ULL);
		KUNIT_EXPECT_EQ(test,
				reg_of(&a, LAPIC_TMCCT, 1000 + 10 * count - 1),
				1ULL);
		KUNIT_EXPECT_EQ(test,
				reg_of(&a, LAPIC_TMCCT, 1000 + 10 * count),
				0ULL);
	}
	/* The longest count */
	lapic_write(&a, LAPIC_TMICT, U32_MAX, 1000);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a),
			1000 + 256ULL * U32_MAX);
}

static void lapic_timer_one_shot(struct kunit *test)
{
	struct lapic a = apic_of(0, true);

	lapic_write(&a, LAPIC_LVT, 0x60, 0);
	lapic_write(&a, LAPIC_TMICT, 100, 1000);	/* of 4 ticks */
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 1400ULL);
	lapic_timer_fire(&a, 1450);
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0x60);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMCCT, 1450), 0ULL);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMICT, 1450), 100ULL);
	lapic_ack(&a, 0x60);
	lapic_write(&a, LAPIC_EOI, 0, 0);
	/* A masked timer expires without an interrupt */
	lapic_write(&a, LAPIC_LVT, 0x10060, 2000);
	lapic_write(&a, LAPIC_TMICT, 100, 2000);
	lapic_timer_fire(&a, 2400);
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
	/* Another initial count starts it again; 0 stops it */
	lapic_write(&a, LAPIC_TMICT, 100, 3000);
	lapic_write(&a, LAPIC_TMICT, 50, 3100);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 3300ULL);
	lapic_write(&a, LAPIC_TMICT, 0, 3200);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMCCT, 3200), 0ULL);
	/* The guest writes its TSC: the count goes on as before */
	lapic_write(&a, LAPIC_TMICT, 100, 4000);
	lapic_tsc_moved(&a, -3000);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 1400ULL);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMCCT, 1200), 50ULL);
	lapic_write(&a, LAPIC_TMICT, 0, 1200);
	lapic_tsc_moved(&a, 5000);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
	/* What was due before a write was due as it was then: masked or not */
	lapic_write(&a, LAPIC_TMICT, 100, 7000);
	lapic_write(&a, LAPIC_LVT, 0x60, 7400);
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
	lapic_write(&a, LAPIC_TMICT, 100, 8000);
	lapic_write(&a, LAPIC_LVT, 0x10060, 8400);
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0x60);
	lapic_ack(&a, 0x60);
	lapic_write(&a, LAPIC_EOI, 0, 8400);
	lapic_write(&a, LAPIC_LVT, 0x60, 8500);
	lapic_write(&a, LAPIC_TMICT, 100, 9000);
	lapic_write(&a, LAPIC_TMICT, 100, 9400);
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0x60);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 9800ULL);
}

static void lapic_timer_periodic(struct kunit *test)
{
	struct lapic a = apic_of(0, false);

	lapic_write(&a, LAPIC_LVT, 0x20061, 0);
	lapic_write(&a, LAPIC_TMICT, 100, 1000);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 1400ULL);
	lapic_timer_fire(&a, 1400);
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0x61);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 1800ULL);
	/* Fired several periods late: one interrupt, and the phase is kept */
	lapic_ack(&a, 0x61);
	lapic_write(&a, LAPIC_EOI, 0, 0);
	lapic_timer_fire(&a, 3600);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 3800ULL);
	lapic_ack(&a, 0x61);
	lapic_write(&a, LAPIC_EOI, 0, 0);
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0);
	/* It goes on counting even before lapic_timer_fire() is called */
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMCCT, 3600), 50ULL);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMCCT, 3799), 1ULL);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMCCT, 3800), 100ULL);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMCCT, 4000), 50ULL);
	/* A change from periodic to one-shot keeps the count */
	lapic_write(&a, LAPIC_LVT, 0x61, 3600);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 3800ULL);
	lapic_timer_fire(&a, 3800);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
}

static void lapic_timer_tdcr(struct kunit *test)
{
	struct lapic a = apic_of(0, true);

	lapic_write(&a, LAPIC_LVT, 0x60, 0);
	lapic_write(&a, LAPIC_TMICT, 100, 10000);	/* divided by 2 */
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMCCT, 10100), 75ULL);
	/* Divided by 128 from here on: 75 counts of 256 ticks */
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_TDCR, 0xa, 10100),
			LAPIC_DOES_TIMER);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMCCT, 10100), 75ULL);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 10100ULL + 75 * 256);
	/* Divided by 1 */
	lapic_write(&a, LAPIC_TDCR, 0xb, 10100 + 25 * 256);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a),
			10100ULL + 25 * 256 + 50 * 2);
	/*
	 * TDCR changes nothing for a timer that has expired, and starts none
	 * that does not count
	 */
	lapic_write(&a, LAPIC_TDCR, 0, 50000);
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0x60);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
	lapic_write(&a, LAPIC_TDCR, 3, 50000);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
}

static void lapic_timer_deadline(struct kunit *test)
{
	struct lapic a = apic_of(0, true);

	/* In the other modes a deadline has no effect */
	lapic_set_deadline(&a, 5000);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
	lapic_write(&a, LAPIC_TMICT, 100, 1000);
	lapic_write(&a, LAPIC_LVT, 0x40062, 1000);
	/* The change of mode disarms; TMICT and TMCCT do nothing now */
	KUNIT_EXPECT_TRUE(test, lapic_uses_deadline(&a));
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
	KUNIT_EXPECT_EQ(test, lapic_write(&a, LAPIC_TMICT, 100, 1000), 0);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMICT, 1100), 0ULL);
	KUNIT_EXPECT_EQ(test, reg_of(&a, LAPIC_TMCCT, 1100), 0ULL);
	lapic_set_deadline(&a, 5000);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 5000ULL);
	lapic_write(&a, LAPIC_TDCR, 3, 1200);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 5000ULL);
	/* It stays when the guest writes its TSC: it is a value of the TSC */
	lapic_tsc_moved(&a, 1000);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 5000ULL);
	/*
	 * A write to the LVT that keeps the mode does not disarm; nor the mask
	 */
	lapic_write(&a, LAPIC_LVT, 0x50063, 1300);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 5000ULL);
	lapic_write(&a, LAPIC_LVT, 0x40063, 1300);
	lapic_timer_fire(&a, 5001);
	KUNIT_EXPECT_EQ(test, lapic_pending(&a), 0x63);
	KUNIT_EXPECT_EQ(test, a.deadline, 0ULL);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
	/* 0 disarms */
	lapic_set_deadline(&a, 9000);
	lapic_set_deadline(&a, 0);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
	/* Leaving the mode forgets the deadline, whatever the other mode is */
	lapic_set_deadline(&a, 9000);
	lapic_write(&a, LAPIC_LVT, 0x63, 1300);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
	lapic_write(&a, LAPIC_LVT, 0x40063, 1300);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
	lapic_set_deadline(&a, 9000);
	lapic_write(&a, LAPIC_LVT, 0x60063, 1300);	/* reserved */
	lapic_write(&a, LAPIC_LVT, 0x40063, 1300);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 0ULL);
}

static void lapic_timer_is_due(struct kunit *test)
{
	struct lapic a = apic_of(1, false);

	KUNIT_EXPECT_FALSE(test, lapic_timer_due(&a, 1000));
	lapic_write(&a, LAPIC_TDCR, 0xb, 1000);
	lapic_write(&a, LAPIC_TMICT, 100, 1000);
	KUNIT_EXPECT_FALSE(test, lapic_timer_due(&a, 1199));
	KUNIT_EXPECT_TRUE(test, lapic_timer_due(&a, 1200));
	lapic_write(&a, LAPIC_LVT, 0x40063, 1100);
	KUNIT_EXPECT_FALSE(test, lapic_timer_due(&a, 5000));
	lapic_set_deadline(&a, 5000);
	KUNIT_EXPECT_FALSE(test, lapic_timer_due(&a, 4999));
	KUNIT_EXPECT_TRUE(test, lapic_timer_due(&a, 5000));
	/* As of then, though it is not that late yet */
	lapic_timer_fire(&a, 4000);
	KUNIT_EXPECT_FALSE(test, lapic_timer_due(&a, 5000));
}

/* A way into the guest of @way ticks, which varies by up to @jitter */
static u64 learned(u64 way, u64 jitter)
{
	u64 lead = 1;
	int i;

	for (i = 0; i < 200; i++)
		lead = lapic_timer_lead(lead, way + i % (jitter + 1) - lead, 5000);
	return lead;
}

static void lapic_timer_learns_its_lead(struct kunit *test)
{
	/* An eighth that rounds to nothing is the rest */
	KUNIT_EXPECT_EQ(test, learned(0, 0), 1ULL);
	KUNIT_EXPECT_EQ(test, learned(8, 0), 1ULL);
	KUNIT_EXPECT_GE(test, learned(2000, 0), 2000 - 7ULL);
	KUNIT_EXPECT_LE(test, learned(2000, 0), 2000ULL);
	KUNIT_EXPECT_GE(test, learned(2000, 100), 1990ULL);
	KUNIT_EXPECT_LE(test, learned(2000, 100), 2110ULL);
	KUNIT_EXPECT_GE(test, learned(4999, 0), 4990ULL);
	/* The limit, and what is no way any more */
	KUNIT_EXPECT_EQ(test, lapic_timer_lead(4999, 5000, 5000), 5000ULL);
	KUNIT_EXPECT_EQ(test, lapic_timer_lead(300, 40000, 5000), 5000ULL);
	KUNIT_EXPECT_EQ(test, lapic_timer_lead(300, 40001, 5000), 300ULL);
	KUNIT_EXPECT_EQ(test, lapic_timer_lead(300, -5001, 5000), 300ULL);
	KUNIT_EXPECT_EQ(test, lapic_timer_lead(300, S64_MIN, 5000), 300ULL);
	KUNIT_EXPECT_EQ(test, lapic_timer_lead(300, S64_MAX, 5000), 300ULL);
	KUNIT_EXPECT_EQ(test, lapic_timer_lead(300, -5000, 5000), 1ULL);
	KUNIT_EXPECT_EQ(test, lapic_timer_lead(800, -400, 5000), 750ULL);
}

static void lapic_extint(struct kunit *test)
{
	struct lapic a = apic_of(1, false);
	const u32 lint0 = LAPIC_LVT + LAPIC_LVT_LINT0;

	KUNIT_EXPECT_FALSE(test, lapic_takes_extint(&a));
	lapic_write(&a, lint0, 0x700, 0);
	KUNIT_EXPECT_TRUE(test, lapic_takes_extint(&a));
	lapic_write(&a, lint0, 0x10700, 0);
	KUNIT_EXPECT_FALSE(test, lapic_takes_extint(&a));
	lapic_write(&a, lint0, 0x400, 0);	/* NMI */
	KUNIT_EXPECT_FALSE(test, lapic_takes_extint(&a));
	lapic_write(&a, lint0, 0x700, 0);
	lapic_write(&a, LAPIC_LVT + LAPIC_LVT_LINT1, 0x700, 0);
	lapic_write(&a, LAPIC_SVR, 0xff, 0);	/* masks it */
	KUNIT_EXPECT_FALSE(test, lapic_takes_extint(&a));
	/* Without a local APIC the PIC's interrupts always come (11.4.3) */
	lapic_set_base(&a, LAPIC_BASE_ADDRESS);
	KUNIT_EXPECT_TRUE(test, lapic_takes_extint(&a));
}

/* A state that a guest can reach */
static struct lapic random_apic(struct rnd_state *rnd, u64 *now)
{
	bool x2 = prandom_u32_state(rnd) & 1;
	struct lapic a = apic_of(prandom_u32_state(rnd) % 64, x2);
	int i, n = 40 + prandom_u32_state(rnd) % 100;

	for (i = 0; i < n; i++) {
		u32 r = prandom_u32_state(rnd), v = prandom_u32_state(rnd);

		*now += r % 1000;
		switch (r >> 28) {
		case 0 ... 5:
			lapic_accept(&a, v, r & 0x100);
			break;
		case 6:
			if (deliverable(&a))
				lapic_ack(&a, lapic_pending(&a));
			break;
		case 7:
			lapic_set_deadline(&a, *now + (v & 0xffff));
			break;
		case 8:
			lapic_write(&a, LAPIC_TMICT, v & 0xffff, *now);
			break;
		case 9:
			lapic_write(&a, LAPIC_LVT, (v & 0x100ff) |
				    (r >> 8) % 3 << 17, *now);
			break;
		case 10:
			lapic_write(&a, LAPIC_LVT + v % 6, r & 0x100ff, *now);
			break;
		case 11:
			lapic_write(&a, LAPIC_TDCR, v & 0xb, *now);
			break;
		case 12:
			lapic_write(&a, LAPIC_SVR, v & 0xff ?: 0x1ff, *now);
			lapic_write(&a, LAPIC_SVR, 0x1ff, *now);
			break;
		case 13:
			lapic_write(&a, LAPIC_ICR2, v, *now);
			lapic_write(&a, LAPIC_ICR, v & 0xccfff, *now);
			break;
		case 14:
			lapic_write(&a, LAPIC_ESR, 0, *now);
			break;
		default:
			lapic_write(&a, v & 1 ? LAPIC_TPR : LAPIC_LDR,
				    x2 ? r & 0xff : r, *now);
		}
	}
	return a;
}

static void lapic_round_trip(struct kunit *test)
{
	u32 *one = kunit_kzalloc(test, 1024, GFP_KERNEL);
	u32 *two = kunit_kzalloc(test, 1024, GFP_KERNEL);
	struct rnd_state rnd;
	u64 now = 1 << 20;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, one);
	KUNIT_ASSERT_NOT_NULL(test, two);
	prandom_seed_state(&rnd, 0x5eed);
	for (i = 0; i < 500; i++) {
		struct lapic a = random_apic(&rnd, &now);
		struct lapic b = {};
		u64 e, f;

		memset(two, 0xff, 1024);
		lapic_reset(&b, a.id, false);
		lapic_get(&a, now, one);
		KUNIT_ASSERT_EQ(test, lapic_set(&b, one, a.base, a.deadline,
						now), 0);
		lapic_get(&b, now, two);
		KUNIT_ASSERT_EQ_MSG(test, memcmp(one, two, 1024), 0,
				    "state %d", i);
		KUNIT_EXPECT_EQ(test, b.deadline, a.deadline);
		KUNIT_EXPECT_EQ(test, b.errors, a.errors);
		KUNIT_EXPECT_EQ(test, lapic_pending(&b), lapic_pending(&a));
		KUNIT_EXPECT_EQ(test, lapic_ppr(&b), lapic_ppr(&a));
		KUNIT_EXPECT_EQ(test, lapic_takes_extint(&b),
				lapic_takes_extint(&a));
		/*
		 * The timer's phase within a count is not kept. If it has
		 * expired, and is not periodic, it fires soon.
		 */
		e = lapic_timer_expiry(&a);
		f = lapic_timer_expiry(&b);
		KUNIT_EXPECT_EQ_MSG(test, !e, !f, "state %d", i);
		if (e > now)
			KUNIT_EXPECT_LT_MSG(test, f - e, 256ULL, "state %d", i);
		else if (e && !(a.lvt[0] & BIT(17)))
			KUNIT_EXPECT_LE(test, f, max(e, now + 256));
	}
}

static void lapic_set_refuses(struct kunit *test)
{
	u32 *good = kunit_kzalloc(test, 1024, GFP_KERNEL);
	u32 *bad = kunit_kzalloc(test, 1024, GFP_KERNEL);
	struct lapic a = apic_of(1, false), was;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, good);
	KUNIT_ASSERT_NOT_NULL(test, bad);
	/* 10 to 18 are two whole counts: then GET and SET keep the phase */
	lapic_write(&a, LAPIC_TMICT, 1000, 10);
	lapic_accept(&a, 0x40, true);
	lapic_get(&a, 18, good);
	was = a;
#define REFUSE(reg, value) do {						\
		memcpy(bad, good, 1024);				\
		bad[(reg) * 4] = (value);				\
		KUNIT_EXPECT_EQ(test, lapic_set(&a, bad, XAPIC, 0, 18),	\
				-EINVAL);				\
	} while (0)
	REFUSE(LAPIC_TPR, 0x100);
	REFUSE(LAPIC_SVR, 0x200);
	REFUSE(LAPIC_TDCR, 4);
	REFUSE(LAPIC_TDCR, 0x10);
	REFUSE(LAPIC_ICR, 0x1000);
	REFUSE(LAPIC_ICR, 0x100000);
	REFUSE(LAPIC_TMCCT, 1001);
	for (i = 0; i < LAPIC_NR_LVT; i++) {
		REFUSE(LAPIC_LVT + i, 0x1000);
		REFUSE(LAPIC_LVT + i, 0x80000);
	}
	REFUSE(LAPIC_LVT + LAPIC_LVT_ERROR, 0x100);
	REFUSE(LAPIC_LVT + LAPIC_LVT_THERMAL, 0x8000);
#undef REFUSE
	/* IA32_APIC_BASE: address, BSP, reserved bits, x2APIC without enable */
	KUNIT_EXPECT_EQ(test, lapic_set(&a, good, XAPIC + 4096, 0, 18),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, lapic_set(&a, good, XAPIC | LAPIC_BASE_BSP, 0,
					18), -EINVAL);
	KUNIT_EXPECT_EQ(test, lapic_set(&a, good, XAPIC | 1, 0, 18), -EINVAL);
	KUNIT_EXPECT_EQ(test, lapic_set(&a, good, X2APIC ^ LAPIC_BASE_ENABLED,
					0, 18), -EINVAL);
	/* A refused state changes nothing */
	KUNIT_EXPECT_EQ(test, memcmp(&a, &was, sizeof(a)), 0);
	/* Read-only registers and bits of illegal vectors are ignored */
	memcpy(bad, good, 1024);
	bad[LAPIC_ID * 4] = bad[LAPIC_VERSION * 4] = bad[LAPIC_PPR * 4] = ~0u;
	bad[LAPIC_IRR * 4] = 0xffff;
	bad[1] = 5;
	KUNIT_EXPECT_EQ(test, lapic_set(&a, bad, XAPIC, 77, 18), 0);
	KUNIT_EXPECT_EQ(test, memcmp(&a, &was, sizeof(a)), 0);
	/*
	 * Any mode can be set directly; the deadline counts in deadline mode
	 * only
	 */
	bad[LAPIC_LVT * 4] = 0x40030;
	KUNIT_EXPECT_EQ(test, lapic_set(&a, bad, LAPIC_BASE_ADDRESS, 0, 18), 0);
	KUNIT_EXPECT_EQ(test, lapic_set(&a, bad, X2APIC, 77, 18), 0);
	KUNIT_EXPECT_EQ(test, lapic_timer_expiry(&a), 77ULL);
	/* A one-shot timer that expired before GET still fires after SET */
	a = apic_of(1, false);
	lapic_write(&a, LAPIC_TMICT, 10, 1000);
	lapic_get(&a, 2000, good);
	lapic_reset(&a, 1, false);
	KUNIT_EXPECT_EQ(test, lapic_set(&a, good, XAPIC, 0, 2000), 0);
	KUNIT_EXPECT_NE(test, lapic_timer_expiry(&a), 0ULL);
}

static u64 in_page(const u32 *page, u32 reg)
{
	return page[reg * 4] | (u64)page[reg * 4 + 1] << 32;
}

static void set_in_page(u32 *page, u32 reg, u8 vector, bool set)
{
	u32 *word = &page[(reg + vector / 32) * 4], bit = BIT(vector % 32);

	*word = set ? *word | bit : *word & ~bit;
}

/* The page that the CPU reads from holds what lapic_read() returns */
static void lapic_page_reads(struct kunit *test)
{
	u32 *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct lapic a = apic_of(0x1234, true);
	u64 value;
	u32 reg, n = 0;

	KUNIT_ASSERT_NOT_NULL(test, page);
	lapic_write(&a, LAPIC_TPR, 0x35, 0);
	lapic_write(&a, LAPIC_LVT, 0x20041, 0);
	lapic_write(&a, LAPIC_LVT + 5, 0x42, 0);
	lapic_write(&a, LAPIC_TMICT, 12345, 0);
	lapic_write(&a, LAPIC_TDCR, 0xb, 0);
	lapic_write(&a, LAPIC_ICR, 0x9876543200004051, 0);
	lapic_write(&a, LAPIC_SELF_IPI, 3, 0);
	lapic_write(&a, LAPIC_ESR, 0, 0);
	lapic_accept(&a, 0x31, true);
	lapic_accept(&a, 0xfe, false);
	lapic_accept(&a, 0x9f, false);
	lapic_ack(&a, 0xfe);
	lapic_to_page(&a, page);
	for (reg = 0; reg < LAPIC_NR_REGS; reg++) {
		if (!lapic_in_page(reg))
			continue;
		n++;
		KUNIT_ASSERT_EQ(test, lapic_read(&a, reg, 0, &value), 0);
		if (reg != LAPIC_PPR)
			KUNIT_EXPECT_EQ_MSG(test, in_page(page, reg), value,
					    "%x", reg);
	}
	/*
	 * 6 from ID to SVR; IRR, ISR and TMR; ESR and ICR; LVT; TMICT and TDCR
	 */
	KUNIT_EXPECT_EQ(test, n, 6U + 24 + 2 + LAPIC_NR_LVT + 2);
	KUNIT_EXPECT_FALSE(test, lapic_in_page(LAPIC_TMCCT));
	KUNIT_EXPECT_FALSE(test, lapic_in_page(LAPIC_EOI));
	KUNIT_EXPECT_FALSE(test, lapic_in_page(LAPIC_DFR));
	/* In deadline mode TMICT reads as 0 */
	lapic_write(&a, LAPIC_LVT, 0x40041, 0);
	lapic_to_page(&a, page);
	KUNIT_EXPECT_EQ(test, page[LAPIC_TMICT * 4], 0U);
	/* In xAPIC mode ICR is two registers, and ids are in the upper byte */
	a = apic_of(5, false);
	lapic_write(&a, LAPIC_LDR, 0x20000000, 0);
	lapic_write(&a, LAPIC_DFR, 0x0fffffff, 0);
	lapic_write(&a, LAPIC_ICR2, 0x07000000, 0);
	lapic_write(&a, LAPIC_ICR, 0x4055, 0);
	lapic_to_page(&a, page);
	KUNIT_EXPECT_EQ(test, page[LAPIC_ID * 4], 5U << 24);
	KUNIT_EXPECT_EQ(test, page[LAPIC_LDR * 4], 0x20000000U);
	KUNIT_EXPECT_EQ(test, page[LAPIC_DFR * 4], 0x0fffffffU);
	KUNIT_EXPECT_EQ(test, in_page(page, LAPIC_ICR), 0x4055ULL);
	KUNIT_EXPECT_EQ(test, page[LAPIC_ICR2 * 4], 0x07000000U);
}

/*
 * The CPU delivers, ends and requests interrupts in its page; then software
 * pulls them from there
 */
static void lapic_page_round_trip(struct kunit *test)
{
	u32 *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct lapic a = apic_of(1, true), was;
	u64 exits[4];

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, lapic_intr_status(&a), 0);
	lapic_accept(&a, 0x41, true);
	lapic_accept(&a, 0x61, false);
	lapic_accept(&a, 0xc1, true);
	lapic_ack(&a, 0x61);
	lapic_write(&a, LAPIC_TPR, 0x20, 0);
	KUNIT_EXPECT_EQ(test, lapic_intr_status(&a), 0x61c1);
	lapic_eoi_exits(&a, exits);
	KUNIT_EXPECT_EQ(test, exits[0], 0ULL);
	KUNIT_EXPECT_EQ(test, exits[1], BIT_ULL(1));
	KUNIT_EXPECT_EQ(test, exits[2], 0ULL);
	KUNIT_EXPECT_EQ(test, exits[3], BIT_ULL(1));
	/* To the page and back: nothing changes */
	was = a;
	lapic_to_page(&a, page);
	lapic_from_page(&a, page);
	KUNIT_EXPECT_EQ(test, memcmp(&a, &was, sizeof(a)), 0);
	/* 0xc1 was delivered and ended, 0x41 delivered; new: 0x45 and a TPR */
	set_in_page(page, LAPIC_IRR, 0xc1, false);
	set_in_page(page, LAPIC_IRR, 0x41, false);
	set_in_page(page, LAPIC_ISR, 0x41, true);
	set_in_page(page, LAPIC_IRR, 0x45, true);
	page[LAPIC_TPR * 4] = 0x30;
	__set_bit(0x45, a.tmr);	/* from an earlier use */
	lapic_from_page(&a, page);
	KUNIT_EXPECT_EQ(test, lapic_intr_status(&a), 0x6145);
	KUNIT_EXPECT_TRUE(test, test_bit(0x41, a.isr));
	KUNIT_EXPECT_TRUE(test, test_bit(0x41, a.tmr));
	KUNIT_EXPECT_FALSE(test, test_bit(0x45, a.tmr));
	KUNIT_EXPECT_EQ(test, a.tpr, 0x30U);
	KUNIT_EXPECT_EQ(test, lapic_ppr(&a), 0x60);
	/* 0xc1 has ended: its EOI need not exit any longer */
	lapic_eoi_exits(&a, exits);
	KUNIT_EXPECT_EQ(test, exits[1], BIT_ULL(1));
	KUNIT_EXPECT_EQ(test, exits[3], 0ULL);
	/* Vectors below 16 in the page are ignored */
	page[LAPIC_IRR * 4] = 0xffff;
	page[LAPIC_ISR * 4] = 0xffff;
	lapic_from_page(&a, page);
	KUNIT_EXPECT_EQ(test, lapic_intr_status(&a), 0x6145);
	/* In xAPIC mode the CPU writes ICR there; reserved bits are dropped */
	a = was = apic_of(2, false);
	lapic_to_page(&a, page);
	lapic_from_page(&a, page);
	KUNIT_EXPECT_EQ(test, memcmp(&a, &was, sizeof(a)), 0);
	page[LAPIC_ICR * 4] = 0xfff45055;
	page[LAPIC_ICR2 * 4] = 0x12345678;
	lapic_from_page(&a, page);
	KUNIT_EXPECT_EQ(test, a.icr, 0x1200000000044055ULL);
}

static struct kunit_case lapic_cases[] = {
	KUNIT_CASE(lapic_after_reset),
	KUNIT_CASE(lapic_mode_changes),
	KUNIT_CASE(lapic_access),
	KUNIT_CASE(lapic_special_registers),
	KUNIT_CASE(lapic_mmio),
	KUNIT_CASE(lapic_priorities),
	KUNIT_CASE(lapic_eoi_of_level),
	KUNIT_CASE(lapic_silent_eoi),
	KUNIT_CASE(lapic_software_disable),
	KUNIT_CASE(lapic_errors),
	KUNIT_CASE(lapic_destinations),
	KUNIT_CASE(lapic_icr),
	KUNIT_CASE(lapic_msi),
	KUNIT_CASE(lapic_timer_divisors),
	KUNIT_CASE(lapic_timer_one_shot),
	KUNIT_CASE(lapic_timer_periodic),
	KUNIT_CASE(lapic_timer_tdcr),
	KUNIT_CASE(lapic_timer_deadline),
	KUNIT_CASE(lapic_timer_is_due),
	KUNIT_CASE(lapic_timer_learns_its_lead),
	KUNIT_CASE(lapic_extint),
	KUNIT_CASE(lapic_round_trip),
	KUNIT_CASE(lapic_set_refuses),
	KUNIT_CASE(lapic_page_reads),
	KUNIT_CASE(lapic_page_round_trip),
	{}
};

static struct kunit_suite lapic_suite = {
	.name = "mvmm-lapic",
	.test_cases = lapic_cases,
};
#undef XAPIC
#undef X2APIC
