// SPDX-License-Identifier: GPL-2.0
/* VMX: negotiation with CPU generations by their capability MSRs; decoders. */

#include "vmx_caps_values.h"

struct missing_log {
	int nr;
	const char *name[16];
};

static void log_missing(void *ctx, const char *name)
{
	struct missing_log *log = ctx;

	if (log->nr < ARRAY_SIZE(log->name))
		log->name[log->nr++] = name;
}

static bool was_missing(const struct missing_log *log, const char *name)
{
	int i;

	for (i = 0; i < log->nr; i++)
		if (!strcmp(log->name[i], name))
			return true;
	return false;
}

static void vmx_generations(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(generations); i++) {
		const struct generation *g = &generations[i];
		struct missing_log log = {};
		struct vmx_caps caps;
		int ret = vmx_negotiate(&g->msrs, &caps, log_missing, &log);

		KUNIT_EXPECT_EQ_MSG(test, ret, g->missing ? -EOPNOTSUPP : 0,
				    "%s", g->name);
		if (g->missing)
			KUNIT_EXPECT_TRUE_MSG(test,
					      was_missing(&log, g->missing),
					      "%s", g->name);
		else
			KUNIT_EXPECT_EQ_MSG(test, log.nr, 0, "%s: %s", g->name,
					    log.nr ? log.name[0] : "");
		KUNIT_EXPECT_EQ_MSG(test, caps.ept_ad, g->ept_ad, "%s",
				    g->name);
		KUNIT_EXPECT_EQ_MSG(test, caps.vpid, g->vpid, "%s", g->name);
		KUNIT_EXPECT_EQ_MSG(test, caps.pml, g->pml, "%s", g->name);
		KUNIT_EXPECT_EQ_MSG(test, caps.tpr_shadow, g->tpr_shadow, "%s",
				    g->name);
		KUNIT_EXPECT_EQ_MSG(test, caps.apicv, g->apicv, "%s", g->name);
		KUNIT_EXPECT_EQ_MSG(test, caps.apic_page, g->apic_access,
				    "%s", g->name);
		/*
		 * Set later: PML while there is a log, the others for vCPUs
		 * that use them
		 */
		KUNIT_EXPECT_FALSE(test, caps.secondary &
				   (SECONDARY_EXEC_ENABLE_PML | VMX_APICV |
				    VMX_APIC_PAGE));
		KUNIT_EXPECT_FALSE(test, caps.primary & CPU_BASED_TPR_SHADOW);
		/* The CPU must accept the controls that were chosen */
		KUNIT_EXPECT_EQ(test, caps.pin & ~(g->msrs.pin >> 32), 0ULL);
		KUNIT_EXPECT_EQ(test, (u32)g->msrs.pin & ~caps.pin, 0U);
		KUNIT_EXPECT_EQ(test, caps.primary & ~(g->msrs.primary >> 32),
				0ULL);
		KUNIT_EXPECT_EQ(test, (u32)g->msrs.primary & ~caps.primary, 0U);
		KUNIT_EXPECT_EQ(test,
				caps.secondary & ~(g->msrs.secondary >> 32),
				0ULL);
		KUNIT_EXPECT_EQ(test, caps.exit & ~(g->msrs.exit >> 32), 0ULL);
		KUNIT_EXPECT_EQ(test, caps.entry & ~(g->msrs.entry >> 32),
				0ULL);
	}
}

static void vmx_reconcile_word(struct kunit *test)
{
	static const struct vmx_ctl ctl[] = {
		{ BIT(0), VMX_MUST, "must" }, { BIT(1), VMX_ABLE, "able" },
		{ BIT(2) | BIT(3), VMX_OPTIONAL },
		{ BIT(4), VMX_NEVER, "never" }, {} };
	/* Bits that may be set and that must be; the result; what is missing */
	static const struct {
		u32 may, ones, value;
		const char *missing;
	} words[] = {
		{ 0x27, 0x20, 0x25 },
		{ 0x22, 0x20, 0x20, "must" },
		{ 0x25, 0x20, 0x25, "able" },
		{ 0x37, 0x30, 0x35, "never" },
		{ 0x2f, 0x20, 0x2d },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		u64 msr = (u64)words[i].may << 32 | words[i].ones;
		const char *missing = words[i].missing;
		struct missing_log log = {};
		u32 value;
		int ret;

		ret = vmx_reconcile(msr, ctl, &value, log_missing, &log);
		KUNIT_EXPECT_EQ(test, ret, missing ? -EOPNOTSUPP : 0);
		KUNIT_EXPECT_EQ(test, value, words[i].value);
		KUNIT_EXPECT_EQ(test, log.nr, !!missing);
		if (missing)
			KUNIT_EXPECT_TRUE(test, was_missing(&log, missing));
	}
}

static void vmx_decoders(struct kunit *test)
{
	struct vmx_cr_access cr;
	struct vmx_dr_access dr;
	struct mvmm_exit exit;

	/* OUT DX, AL at port 0x3f8; IN EAX, imm8; REP INSW */
	vmx_decode_io(0x3f80000, &exit);
	KUNIT_EXPECT_EQ(test, exit.io.port, 0x3f8);
	KUNIT_EXPECT_EQ(test, exit.io.size, 1);
	KUNIT_EXPECT_EQ(test, exit.io.flags, 0);
	vmx_decode_io(0x00700000 | 0x40 | 8 | 3, &exit);
	KUNIT_EXPECT_EQ(test, exit.io.size, 4);
	KUNIT_EXPECT_EQ(test, exit.io.flags, MVMM_IO_IN);
	vmx_decode_io(0xffff0000 | 0x20 | 0x10 | 8 | 1, &exit);
	KUNIT_EXPECT_EQ(test, exit.io.port, 0xffff);
	KUNIT_EXPECT_EQ(test, exit.io.size, 2);
	KUNIT_EXPECT_EQ(test, exit.io.flags,
			MVMM_IO_IN | MVMM_IO_STRING | MVMM_IO_REP);
	KUNIT_EXPECT_EQ(test, vmx_decode_addr_size(0), 2);
	KUNIT_EXPECT_EQ(test, vmx_decode_addr_size(1 << 7), 4);
	KUNIT_EXPECT_EQ(test, vmx_decode_addr_size(2 << 7), 8);

	cr = vmx_decode_cr(0xb04);		/* mov %r11, %cr4 */
	KUNIT_EXPECT_EQ(test, cr.cr, 4);
	KUNIT_EXPECT_EQ(test, cr.kind, VMX_CR_WRITE);
	KUNIT_EXPECT_EQ(test, cr.reg, 11);
	cr = vmx_decode_cr(0x218);		/* mov %cr8, %rdx */
	KUNIT_EXPECT_EQ(test, cr.cr, 8);
	KUNIT_EXPECT_EQ(test, cr.kind, VMX_CR_READ);
	KUNIT_EXPECT_EQ(test, cr.reg, 2);
	cr = vmx_decode_cr(0x20);
	KUNIT_EXPECT_EQ(test, cr.kind, VMX_CR_CLTS);
	cr = vmx_decode_cr(0xfff90030);
	KUNIT_EXPECT_EQ(test, cr.kind, VMX_CR_LMSW);
	KUNIT_EXPECT_EQ(test, cr.lmsw, 0xfff9);

	dr = vmx_decode_dr(0x307);		/* mov %rbx, %dr7 */
	KUNIT_EXPECT_EQ(test, dr.dr, 7);
	KUNIT_EXPECT_EQ(test, dr.reg, 3);
	KUNIT_EXPECT_FALSE(test, dr.read);
	dr = vmx_decode_dr(0xf16);		/* mov %dr6, %r15 */
	KUNIT_EXPECT_EQ(test, dr.dr, 6);
	KUNIT_EXPECT_EQ(test, dr.reg, 15);
	KUNIT_EXPECT_TRUE(test, dr.read);

	KUNIT_EXPECT_EQ(test, vmx_decode_ept(0x181),
			(u32)MVMM_ACCESS_READ);
	KUNIT_EXPECT_EQ(test, vmx_decode_ept(0x182),
			(u32)MVMM_ACCESS_WRITE);
	KUNIT_EXPECT_EQ(test, vmx_decode_ept(0x184), (u32)MVMM_ACCESS_EXEC);
	KUNIT_EXPECT_EQ(test, vmx_decode_ept(0x81),
			(u32)(MVMM_ACCESS_READ | MVMM_ACCESS_PAGE_WALK));
	/* Without a linear address it is the CPU that loads PDPTEs */
	KUNIT_EXPECT_EQ(test, vmx_decode_ept(0x1),
			(u32)(MVMM_ACCESS_READ | MVMM_ACCESS_PAGE_WALK));

	KUNIT_EXPECT_EQ(test, vmx_decode_apic_access(0x390),
			(u32)MVMM_ACCESS_READ);
	KUNIT_EXPECT_EQ(test, vmx_decode_apic_access(0x1030),
			(u32)MVMM_ACCESS_WRITE);
	KUNIT_EXPECT_EQ(test, vmx_decode_apic_access(0x2000),
			(u32)MVMM_ACCESS_EXEC);
	KUNIT_EXPECT_EQ(test, vmx_decode_apic_access(0xf010),
			(u32)(MVMM_ACCESS_READ | MVMM_ACCESS_PAGE_WALK));
}

/* The host's counters: PEBS is off some time before an entry, not by its list */
static void vmx_perf(struct kunit *test)
{
	const struct perf_guest_switch_msr msrs[] = {
		{ MSR_CORE_PERF_GLOBAL_CTRL, 0xf, 0xe },
		{ MSR_IA32_PEBS_ENABLE, 1, 0 },
		{ MSR_IA32_DS_AREA, 1, 0 } };
	const struct perf_guest_switch_msr same[] = {
		{ MSR_CORE_PERF_GLOBAL_CTRL, 0xf, 0xf },
		{ MSR_IA32_PEBS_ENABLE, 0, 0 } };
	struct vmx_vcpu *vmx = kunit_kzalloc(test, sizeof(*vmx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vmx);
	/* The lists are where the CPU takes them: at multiples of 16 */
	KUNIT_EXPECT_EQ(test, (unsigned long)vmx->on_entry & 15, 0UL);
	KUNIT_EXPECT_EQ(test, (unsigned long)vmx->on_exit & 15, 0UL);
	/* A CPU without counters */
	KUNIT_EXPECT_EQ(test, vmx_list_perf(vmx, NULL, 0), 0);
	KUNIT_EXPECT_EQ(test, vmx_list_perf(vmx, msrs, 1), 1);
	KUNIT_EXPECT_FALSE(test, vmx->stop_pebs);
	/* No more than the lists have room for */
	KUNIT_EXPECT_EQ(test, vmx_list_perf(vmx, msrs, 3), 2);
	KUNIT_EXPECT_TRUE(test, vmx->stop_pebs);
	KUNIT_EXPECT_EQ(test, vmx->on_entry[0].index,
			(u32)MSR_CORE_PERF_GLOBAL_CTRL);
	KUNIT_EXPECT_EQ(test, vmx->on_entry[0].value, 0xeULL);
	KUNIT_EXPECT_EQ(test, vmx->on_exit[0].value, 0xfULL);
	KUNIT_EXPECT_EQ(test, vmx->on_entry[1].index,
			(u32)MSR_IA32_PEBS_ENABLE);
	KUNIT_EXPECT_EQ(test, vmx->on_entry[1].value, 0ULL);
	KUNIT_EXPECT_EQ(test, vmx->on_exit[1].value, 1ULL);
	KUNIT_EXPECT_EQ(test, vmx_list_perf(vmx, same, 2), 0);
	KUNIT_EXPECT_FALSE(test, vmx->stop_pebs);
}

/* SPEC_CTRL: in the lists if it differs, behind perf's */
static void vmx_spec_ctrl(struct kunit *test)
{
	struct vmx_vcpu *vmx = kunit_kzalloc(test, sizeof(*vmx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vmx);
	/* One that has no such MSR runs with the host's */
	vmx->spec_ctrl = 0;
	KUNIT_EXPECT_EQ(test, vmx_list_spec_ctrl(vmx, 0, SPEC_CTRL_IBRS), 0);
	vmx->vcpu.caps.spec_ctrl = SPEC_CTRL_IBRS;
	KUNIT_EXPECT_EQ(test, vmx_list_spec_ctrl(vmx, 2, 0), 2);
	KUNIT_EXPECT_EQ(test, vmx_list_spec_ctrl(vmx, 2, SPEC_CTRL_IBRS), 3);
	KUNIT_EXPECT_EQ(test, vmx->on_entry[2].index, (u32)MSR_IA32_SPEC_CTRL);
	KUNIT_EXPECT_EQ(test, vmx->on_entry[2].value, 0ULL);
	KUNIT_EXPECT_EQ(test, vmx->on_exit[2].index, (u32)MSR_IA32_SPEC_CTRL);
	KUNIT_EXPECT_EQ(test, vmx->on_exit[2].value, (u64)SPEC_CTRL_IBRS);
	vmx->spec_ctrl = SPEC_CTRL_IBRS;
	KUNIT_EXPECT_EQ(test, vmx_list_spec_ctrl(vmx, 1, SPEC_CTRL_IBRS), 1);
}

static void vmx_segments(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vmx_segment_ar(0xa09b), 0xa09bU);
	KUNIT_EXPECT_EQ(test, vmx_segment_ar(0), 0x10000U);
	KUNIT_EXPECT_EQ(test, vmx_segment_ar(0x0f93), 0x93U);
	KUNIT_EXPECT_EQ(test, vmx_segment_ar(0x0020), 0x10020U);
	KUNIT_EXPECT_EQ(test, vmx_segment_attr(0xc093), 0xc093);
	KUNIT_EXPECT_EQ(test, vmx_segment_attr(0x10093) & 0x80, 0);
}

/*
 * The log is taken after every second entry, until it is full; then the CPU
 * begins at its top again
 */
static void vmx_pml(struct kunit *test)
{
	const int last = MVMM_PML_ENTRIES - 1;
	struct mvmm_pml none = {}, pml = {
		.log = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL),
		.next = last };
	int round, i;

	KUNIT_ASSERT_NOT_NULL(test, pml.log);
	KUNIT_EXPECT_EQ(test, mvmm_pml_take(&none), MVMM_PML_EMPTY);
	memset(pml.log, 0xff, PAGE_SIZE);
	for (round = 0; round < 2; round++) {
		KUNIT_EXPECT_EQ(test, mvmm_pml_take(&pml), MVMM_PML_EMPTY);
		/* The CPU fills it from the end; its first entry is page 0 */
		for (i = last; i >= 0; i--) {
			pml.log[i] = (u64)(last - i) << PAGE_SHIFT;
			if (i & 1)
				continue;
			KUNIT_EXPECT_EQ(test, mvmm_pml_take(&pml),
					(last - i - 1ULL) << PAGE_SHIFT);
			KUNIT_EXPECT_EQ(test, mvmm_pml_take(&pml),
					(u64)(last - i) << PAGE_SHIFT);
			KUNIT_EXPECT_EQ(test, mvmm_pml_take(&pml),
					MVMM_PML_EMPTY);
		}
		KUNIT_EXPECT_EQ(test, pml.next, -1);
		pml.next = last;
	}
}

static struct kunit_case vmx_cases[] = {
	KUNIT_CASE(vmx_generations),
	KUNIT_CASE(vmx_reconcile_word),
	KUNIT_CASE(vmx_decoders),
	KUNIT_CASE(vmx_perf),
	KUNIT_CASE(vmx_spec_ctrl),
	KUNIT_CASE(vmx_segments),
	KUNIT_CASE(vmx_pml),
	{}
};

static struct kunit_suite vmx_suite = {
	.name = "mvmm-vmx",
	.test_cases = vmx_cases,
};
