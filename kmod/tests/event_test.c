// SPDX-License-Identifier: GPL-2.0
/* Event logic: what is injected when, and what becomes of events in flight. */

static const struct mvmm_readiness open_gate = { .if_set = true };
static const struct mvmm_readiness closed = { .if_set = false };

static void event_order(struct kunit *test)
{
	struct mvmm_events_state ev = {
		.nmi_pending = 1, .irq_pending = true, .irq_vector = 0x31,
		.inflight = { .valid = true, .type = MVMM_EVENT_EXCEPTION,
			      .vector = 14, .has_error = true,
			      .error_code = 2 } };
	struct mvmm_event_plan plan;

	/* First the in-flight event, with windows for the others */
	plan = mvmm_plan_event(&ev, open_gate, false);
	KUNIT_EXPECT_EQ(test, plan.inject.vector, 14);
	KUNIT_EXPECT_EQ(test, plan.inject.error_code, 2U);
	KUNIT_EXPECT_TRUE(test, plan.nmi_window && plan.irq_window);
	mvmm_event_taken(&ev, &plan.inject);
	KUNIT_EXPECT_FALSE(test, ev.inflight.valid);
	/* then the NMI */
	plan = mvmm_plan_event(&ev, open_gate, false);
	KUNIT_EXPECT_EQ(test, plan.inject.type, MVMM_EVENT_NMI);
	KUNIT_EXPECT_FALSE(test, plan.nmi_window);
	KUNIT_EXPECT_TRUE(test, plan.irq_window);
	mvmm_event_taken(&ev, &plan.inject);
	/* then the interrupt */
	plan = mvmm_plan_event(&ev, open_gate, false);
	KUNIT_EXPECT_EQ(test, plan.inject.vector, 0x31);
	KUNIT_EXPECT_FALSE(test, plan.irq_window);
	mvmm_event_taken(&ev, &plan.inject);
	plan = mvmm_plan_event(&ev, open_gate, false);
	KUNIT_EXPECT_FALSE(test, plan.inject.valid || plan.nmi_window ||
			   plan.irq_window);
}

/*
 * The PIC's interrupt comes before the local APIC's, because it is acknowledged
 * already
 */
static void event_apic_order(struct kunit *test)
{
	struct mvmm_events_state ev = {
		.nmi_pending = 1, .irq_pending = true, .irq_vector = 0x21,
		.apic_vector = 0x51, .apic_ppr = 0x4f,
		.inflight = { .valid = true, .type = MVMM_EVENT_IRQ,
			      .vector = 0x77 } };
	static const u8 order[] = { 0x77, 2, 0x21, 0x51 };
	struct mvmm_event_plan plan;
	int i;

	for (i = 0; i < ARRAY_SIZE(order); i++) {
		plan = mvmm_plan_event(&ev, open_gate, false);
		KUNIT_EXPECT_TRUE(test, plan.inject.valid);
		KUNIT_EXPECT_EQ(test, plan.inject.vector, order[i]);
		KUNIT_EXPECT_EQ(test, plan.inject.from_apic, i == 3);
		/* A window for each kind of event that still waits */
		KUNIT_EXPECT_EQ(test, plan.nmi_window, i == 0);
		KUNIT_EXPECT_EQ(test, plan.irq_window, i < 3);
		mvmm_event_taken(&ev, &plan.inject);
	}
	KUNIT_EXPECT_FALSE(test, ev.inflight.valid || ev.nmi_pending ||
			   ev.irq_pending);
	/* It is lapic.c that acknowledges, and clears this */
	KUNIT_EXPECT_EQ(test, ev.apic_vector, 0x51);
}

static void event_apic_gates(struct kunit *test)
{
	struct mvmm_readiness shadow = { .if_set = true,
					 .shadow = MVMM_SHADOW_STI };
	struct mvmm_readiness masked = { .if_set = true, .nmi_masked = true };
	struct mvmm_events_state ev = { .apic_vector = 0x51,
					.apic_ppr = 0x4f };
	struct mvmm_event_plan plan;

	plan = mvmm_plan_event(&ev, closed, false);
	KUNIT_EXPECT_TRUE(test, !plan.inject.valid && plan.irq_window);
	plan = mvmm_plan_event(&ev, shadow, false);
	KUNIT_EXPECT_TRUE(test, !plan.inject.valid && plan.irq_window);
	plan = mvmm_plan_event(&ev, masked, false);
	KUNIT_EXPECT_TRUE(test, plan.inject.from_apic && !plan.irq_window);
	/* While an NMI is handled one more waits, else two do */
	ev.nmi_pending = 2;
	plan = mvmm_plan_event(&ev, shadow, false);
	KUNIT_EXPECT_EQ(test, ev.nmi_pending, 2);
	plan = mvmm_plan_event(&ev, masked, false);
	KUNIT_EXPECT_EQ(test, ev.nmi_pending, 1);
	KUNIT_EXPECT_TRUE(test, plan.nmi_window);
	ev.nmi_pending = 0;
	plan = mvmm_plan_event(&ev, open_gate, true);
	KUNIT_EXPECT_TRUE(test, plan.inject.from_apic && plan.irq_window);
	/* PPR's class blocks it: no window would help */
	ev.apic_ppr = 0x50;
	plan = mvmm_plan_event(&ev, open_gate, false);
	KUNIT_EXPECT_FALSE(test, plan.inject.valid || plan.irq_window);
	plan = mvmm_plan_event(&ev, closed, false);
	KUNIT_EXPECT_FALSE(test, plan.inject.valid || plan.irq_window);
	plan = mvmm_plan_event(&ev, closed, true);
	KUNIT_EXPECT_TRUE(test, plan.irq_window);
	/* PPR does not block the PIC's interrupt */
	ev.irq_pending = true;
	ev.irq_vector = 0x20;
	plan = mvmm_plan_event(&ev, open_gate, false);
	KUNIT_EXPECT_TRUE(test, plan.inject.valid && !plan.inject.from_apic &&
			  !plan.irq_window);
	/* An interrupt of the APIC that has to wait again stays acknowledged */
	ev = (struct mvmm_events_state){
		.inflight = { .valid = true, .type = MVMM_EVENT_IRQ,
			      .vector = 0x51, .from_apic = true } };
	mvmm_event_requeue(&ev);
	KUNIT_EXPECT_TRUE(test, ev.irq_pending && ev.irq_vector == 0x51);
	plan = mvmm_plan_event(&ev, open_gate, false);
	KUNIT_EXPECT_FALSE(test, plan.inject.from_apic);
}

static void event_gates(struct kunit *test)
{
	struct mvmm_readiness shadow = { .if_set = true,
					 .shadow = MVMM_SHADOW_STI };
	struct mvmm_readiness masked = { .if_set = true, .nmi_masked = true };
	struct mvmm_events_state irq = { .irq_pending = true }, none = {};
	struct mvmm_events_state nmi = { .nmi_pending = 1 };
	struct mvmm_event_plan plan;

	plan = mvmm_plan_event(&irq, closed, false);
	KUNIT_EXPECT_FALSE(test, plan.inject.valid);
	KUNIT_EXPECT_TRUE(test, plan.irq_window);
	plan = mvmm_plan_event(&irq, shadow, false);
	KUNIT_EXPECT_FALSE(test, plan.inject.valid);
	plan = mvmm_plan_event(&irq, masked, false);
	KUNIT_EXPECT_TRUE(test, plan.inject.valid);
	plan = mvmm_plan_event(&nmi, masked, false);
	KUNIT_EXPECT_FALSE(test, plan.inject.valid);
	KUNIT_EXPECT_TRUE(test, plan.nmi_window);
	plan = mvmm_plan_event(&nmi, closed, false);
	KUNIT_EXPECT_TRUE(test, plan.inject.valid);
	plan = mvmm_plan_event(&nmi, shadow, false);
	KUNIT_EXPECT_FALSE(test, plan.inject.valid);
	plan = mvmm_plan_event(&none, open_gate, true);
	KUNIT_EXPECT_TRUE(test, plan.irq_window);
	/* Two NMIs: one now, a window for the other */
	nmi.nmi_pending = 2;
	plan = mvmm_plan_event(&nmi, open_gate, false);
	KUNIT_EXPECT_TRUE(test, plan.inject.valid && plan.nmi_window);
}

static struct mvmm_event exception(u8 vector)
{
	return (struct mvmm_event){
		.valid = true, .type = MVMM_EVENT_EXCEPTION, .vector = vector,
		.has_error = mvmm_exception_has_error(vector) };
}

static void event_double_faults(struct kunit *test)
{
	/*
	 * SDM vol. 3, table 6-5. Result -1: a triple fault; 8: a double fault;
	 * else both are handled serially, the second one first.
	 */
	static const struct { u8 first, second; int result; } cases[] = {
		{ 1, 13, 13 }, { 3, 14, 14 }, { 13, 1, 1 }, { 17, 13, 13 },
		{ 0, 0, 8 }, { 10, 13, 8 }, { 11, 12, 8 }, { 13, 13, 8 },
		{ 13, 14, 14 }, { 14, 13, 8 }, { 14, 14, 8 }, { 14, 1, 1 },
		{ 8, 13, -1 }, { 8, 14, -1 }, { 8, 1, 1 }, { 6, 13, 13 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mvmm_event first = exception(cases[i].first);
		struct mvmm_event second = exception(cases[i].second);
		bool alive = mvmm_event_merge(&first, &second);

		KUNIT_EXPECT_EQ_MSG(test, alive ? first.vector : -1,
				    cases[i].result, "%d then %d",
				    cases[i].first, cases[i].second);
	}
}

static void event_merge_into_nothing(struct kunit *test)
{
	struct mvmm_event first = {}, second = exception(13);

	KUNIT_EXPECT_TRUE(test, mvmm_event_merge(&first, &second));
	KUNIT_EXPECT_EQ(test, first.vector, 13);
	KUNIT_EXPECT_TRUE(test, first.has_error);
}

static void event_requeue(struct kunit *test)
{
	struct mvmm_events_state ev = {
		.inflight = { .valid = true, .type = MVMM_EVENT_IRQ,
			      .vector = 0x44 } };

	mvmm_event_requeue(&ev);
	KUNIT_EXPECT_FALSE(test, ev.inflight.valid);
	KUNIT_EXPECT_TRUE(test, ev.irq_pending);
	KUNIT_EXPECT_EQ(test, ev.irq_vector, 0x44);
	ev.inflight = (struct mvmm_event){ .valid = true,
					   .type = MVMM_EVENT_NMI };
	mvmm_event_requeue(&ev);
	KUNIT_EXPECT_EQ(test, ev.nmi_pending, 1);
	ev.inflight = exception(14);
	mvmm_event_requeue(&ev);
	KUNIT_EXPECT_TRUE(test, ev.inflight.valid);
}

static void event_check(struct kunit *test)
{
	struct mvmm_events ok = { .inflight = 1, .type = MVMM_EVENT_EXCEPTION,
				  .vector = 14, .has_error = 1 };
	struct mvmm_events bad;

	KUNIT_EXPECT_EQ(test, mvmm_events_check(&ok), 0);
#define REJECT(field, value) do {					\
		bad = ok;						\
		bad.field = value;					\
		KUNIT_EXPECT_EQ(test, mvmm_events_check(&bad), -EINVAL);\
	} while (0)
	REJECT(shadow, 3);
	REJECT(shadow, 4);
	REJECT(nmi_masked, 2);
	REJECT(nmi_pending, 3);
	REJECT(irq_pending, 2);
	REJECT(inflight, 2);
	REJECT(has_error, 2);
	REJECT(vector, 2);
	REJECT(vector, 32);
	REJECT(vector, 6);
	REJECT(type, 1);
	REJECT(type, 7);
	REJECT(type, MVMM_EVENT_IRQ);
	REJECT(type, MVMM_EVENT_SOFT_INT);
	REJECT(insn_len, 16);
	REJECT(pending_dbg, 1 << 13);
	REJECT(eoi_pending, 2);
	REJECT(shutdown, 2);
	REJECT(reserved[2], 1);
#undef REJECT
}

static void event_layout(struct kunit *test)
{
	static const u32 infos[] = {
		0x80000000 | 0x31,		/* interrupt */
		0x80000000 | 0x202,		/* NMI */
		0x80000000 | 0xb00 | 14,	/* #PF, error code */
		0x80000000 | 0x400 | 0x80,	/* INT 0x80 */
		0x80000000 | 0x500 | 1,		/* INT1 */
		0x80000000 | 0x600 | 3,		/* INT3 */
	};
	struct mvmm_event e;
	int i;

	e = mvmm_event_decode(0x31, 0, 0);
	KUNIT_EXPECT_FALSE(test, e.valid);
	for (i = 0; i < ARRAY_SIZE(infos); i++) {
		e = mvmm_event_decode(infos[i], 0x1234, 2);
		KUNIT_EXPECT_TRUE(test, e.valid);
		KUNIT_EXPECT_EQ(test, mvmm_event_encode(&e), infos[i]);
		KUNIT_EXPECT_EQ(test, e.error_code,
				e.has_error ? 0x1234U : 0U);
		KUNIT_EXPECT_EQ(test, e.insn_len,
				e.type >= MVMM_EVENT_SOFT_INT ? 2 : 0);
	}
}

static struct kunit_case event_cases[] = {
	KUNIT_CASE(event_order),
	KUNIT_CASE(event_apic_order),
	KUNIT_CASE(event_apic_gates),
	KUNIT_CASE(event_gates),
	KUNIT_CASE(event_double_faults),
	KUNIT_CASE(event_merge_into_nothing),
	KUNIT_CASE(event_requeue),
	KUNIT_CASE(event_check),
	KUNIT_CASE(event_layout),
	{}
};

static struct kunit_suite event_suite = {
	.name = "mvmm-event",
	.test_cases = event_cases,
};
