// SPDX-License-Identifier: GPL-2.0
/* CPUID and MSR policy, and the rules of the control registers. */

/* A host that has everything: the result is what the policy lets pass */
static void generous(u32 leaf, u32 subleaf, u32 r[4])
{
	r[0] = r[1] = r[2] = r[3] = ~0u;
	switch (leaf) {
	case 0:
		r[0] = 0x20;
		break;
	case 4:
		r[0] = subleaf < 2 ? ~0u : 0;
		break;
	case 0xd:
		r[0] = subleaf == 1 ? ~0u : 256;
		r[1] = 576;
		break;
	case 0x80000000:
		r[0] = 0x80000021;
		break;
	case 0x80000008:
		r[0] = 52 | 57 << 8;
		break;
	}
}

static void ends_at_7(u32 leaf, u32 subleaf, u32 r[4])
{
	generous(leaf, subleaf, r);
	if (!leaf)
		r[0] = 7;
}

static void make_default(struct kunit *test, struct mvmm_cpuid_host *host,
			 struct mvmm_cpuid_table **table)
{
	*host = (struct mvmm_cpuid_host){
		.get = generous, .xcr0 = 7, .tsc_khz = 3500000, .gpa_bits = 48,
		.rdtscp = true, .invpcid = true };
	*table = kunit_kzalloc(test, sizeof(**table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, *table);
	mvmm_cpuid_default(host, *table);
	KUNIT_EXPECT_EQ(test, mvmm_cpuid_check(*table), 0);
	KUNIT_EXPECT_LE(test, (*table)->nr, (u32)MVMM_MAX_CPUID);
}

static void cpuid_filter(struct kunit *test)
{
	struct mvmm_cpuid_host host;
	struct mvmm_cpuid_table *t;
	u32 r[4];

	make_default(test, &host, &t);
	mvmm_cpuid_query(t, 0, 0, 0, 1, 0, r);
	KUNIT_EXPECT_EQ(test, r[0], 0x15U);
	mvmm_cpuid_query(t, 1, 0, 0, 1, 5, r);
	KUNIT_EXPECT_EQ(test, r[1] >> 24, 5U);
	/*
	 * No MONITOR, VMX, x2APIC, TSC deadline; but the hypervisor bit, AVX
	 * and XSAVE
	 */
	KUNIT_EXPECT_EQ(test, r[2] & (BIT(3) | BIT(5) | BIT(21) | BIT(24)), 0UL);
	KUNIT_EXPECT_EQ(test, r[2] & (BIT(31) | BIT(28) | BIT(26)),
			BIT(31) | BIT(28) | BIT(26));
	/* No APIC, HTT; MCE, MCA and MTRR if they were built */
	KUNIT_EXPECT_EQ(test, r[3] & (BIT(7) | BIT(9) | BIT(12) | BIT(14) |
				      BIT(28)),
			(IS_ENABLED(CONFIG_MVMM_MCE) ? BIT(7) | BIT(14) : 0) |
			(IS_ENABLED(CONFIG_MVMM_MTRR) ? BIT(12) : 0));
	mvmm_cpuid_query(t, 7, 0, 0, 1, 0, r);
	/* No SGX, HLE, RTM, MPX; no AVX-512 as XCR0 lacks it; TSC_ADJUST */
	KUNIT_EXPECT_EQ(test, r[1] & BIT(1), BIT(1));
	KUNIT_EXPECT_EQ(test, r[1] & (BIT(2) | BIT(4) | BIT(11) |
				      BIT(14) | BIT(16)), 0UL);
	/* No PKU as XCR0 lacks it; no CET, LA57, WAITPKG */
	KUNIT_EXPECT_EQ(test, r[2] & (BIT(3) | BIT(5) | BIT(7) | BIT(16)), 0UL);
	/* No AMX; no SPEC_CTRL where the vendor cannot exchange it */
	KUNIT_EXPECT_EQ(test, r[3], BIT(4) | BIT(10) | BIT(28) | BIT(29));
	host.spec_ctrl = true;
	mvmm_cpuid_default(&host, t);
	mvmm_cpuid_query(t, 7, 0, 0, 1, 0, r);
	KUNIT_EXPECT_EQ(test, r[3], BIT(4) | BIT(10) | BIT(26) | BIT(27) |
				    BIT(28) | BIT(29) | BIT(31));
	/* A CPU of AMD's, with which software can recover from machine checks */
	mvmm_cpuid_query(t, 0x80000007, 0, 0, 1, 0, r);
	KUNIT_EXPECT_EQ(test, r[1],
			IS_ENABLED(CONFIG_MVMM_MCE) ? BIT(0) | BIT(1) : 0UL);
	KUNIT_EXPECT_EQ(test, r[3], BIT(8));
	mvmm_cpuid_query(t, 0x80000008, 0, 0, 1, 0, r);
	KUNIT_EXPECT_EQ(test, r[0], 48U | 48 << 8);
	mvmm_cpuid_query(t, 0x80000000, 0, 0, 1, 0, r);
	KUNIT_EXPECT_EQ(test, r[0], 0x80000008U);
	mvmm_cpuid_query(t, 0x40000000, 0, 0, 1, 0, r);
	KUNIT_EXPECT_EQ(test, memcmp(&r[1], "MvmmMvmmMvmm", 12), 0);
	mvmm_cpuid_query(t, 0x15, 0, 0, 1, 0, r);
	KUNIT_EXPECT_EQ(test, (u64)r[2] * r[1] / r[0], 3500000000ULL);
	/* A leaf above the limit is all zero */
	mvmm_cpuid_query(t, 0x1f, 0, 0, 1, 0, r);
	KUNIT_EXPECT_EQ(test, r[0] | r[1] | r[2] | r[3], 0U);
}

/* A VM with local APICs: APIC bits, the timer's clock, KVM's signature */
static void cpuid_apic(struct kunit *test)
{
	struct mvmm_cpuid_host host;
	const u32 features = BIT(1) | BIT(3) | BIT(5) | BIT(6) | BIT(7) |
			     BIT(9) | BIT(24);
	struct mvmm_cpuid_table *t;
	u32 before, r[4];

	make_default(test, &host, &t);
	before = t->nr;
	mvmm_cpuid_add_apic(t);
	mvmm_cpuid_add_kvm(t, features);
	KUNIT_EXPECT_EQ(test, t->nr, before + 3);
	KUNIT_EXPECT_EQ(test, mvmm_cpuid_check(t), 0);
	KUNIT_EXPECT_LE(test, t->nr, (u32)MVMM_MAX_CPUID);
	mvmm_cpuid_query(t, 1, 0, 0, 1, 5, r);
	KUNIT_EXPECT_EQ(test, r[1] >> 24, 5U);
	KUNIT_EXPECT_EQ(test, r[2] & (BIT(21) | BIT(24) | BIT(31)),
			BIT(21) | BIT(24) | BIT(31));
	KUNIT_EXPECT_EQ(test, r[3] & BIT(9), BIT(9));
	mvmm_cpuid_query(t, 0x40000000, 0, 0, 1, 0, r);
	KUNIT_EXPECT_EQ(test, r[0], 0x40000001U);
	KUNIT_EXPECT_EQ(test, memcmp(&r[1], "KVMKVMKVM\0\0\0", 12), 0);
	mvmm_cpuid_query(t, 0x40000001, 0, 0, 1, 0, r);
	KUNIT_EXPECT_EQ(test, r[0], features);
	if (IS_ENABLED(CONFIG_MVMM_PV_EOI))
		KUNIT_EXPECT_EQ(test, MVMM_PV_FEATURES, features);
	KUNIT_EXPECT_EQ(test, r[1] | r[2] | r[3], 0U);
	/* The TSC's rate stays; the crystal clock is half of it */
	mvmm_cpuid_query(t, 0x15, 0, 0, 1, 0, r);
	KUNIT_EXPECT_EQ(test, (u64)r[2] * r[1] / r[0], 3500000000ULL);
	KUNIT_EXPECT_EQ(test, r[2], 1750000000U);
}

/* What has x2APIC has its id in leaf 0xb, on each level and beyond the last */
static void cpuid_topology(struct kunit *test)
{
	static const u32 levels[] = { 0x100, 0x201, 2, 3, 0xff };
	static const u32 subleaves[] = { 0, 1, 2, 3, 0x1ff };
	struct mvmm_cpuid_host host;
	struct mvmm_cpuid_table *t;
	u32 r[4];
	int i;

	make_default(test, &host, &t);
	mvmm_cpuid_query(t, 0xb, 0, 0, 1, 200, r);
	KUNIT_EXPECT_EQ(test, r[0] | r[1] | r[2] | r[3], 0U);
	mvmm_cpuid_add_apic(t);
	for (i = 0; i < ARRAY_SIZE(levels); i++) {
		mvmm_cpuid_query(t, 0xb, subleaves[i], 0, 1, 200, r);
		KUNIT_EXPECT_EQ(test, r[0], 0U);
		KUNIT_EXPECT_EQ(test, r[1], (u32)(i < 2));
		KUNIT_EXPECT_EQ(test, r[2], levels[i]);
		KUNIT_EXPECT_EQ(test, r[3], 200U);
	}
	/* Where the host's leaves end before it there is none */
	host.get = ends_at_7;
	memset(t, 0, sizeof(*t));
	mvmm_cpuid_default(&host, t);
	mvmm_cpuid_add_apic(t);
	mvmm_cpuid_query(t, 0xb, 0, 0, 1, 200, r);
	KUNIT_EXPECT_EQ(test, r[0] | r[1] | r[2] | r[3], 0U);
}

/*
 * ns = ((ticks << shift) * mul) >> 32: a second of ticks is a second, to a
 * millionth
 */
static void pv_clock_rate(struct kunit *test)
{
	static const u32 rates[] = { 1, 1000, 100000, 999999, 1000000, 1000001,
				     1999999, 2000000, 2000001, 3500000,
				     4000000, 10000000, U32_MAX };
	int i;

	for (i = 0; i < ARRAY_SIZE(rates); i++) {
		u64 ticks = rates[i] * 1000ULL, ns;
		s8 shift;
		u32 mul;

		mvmm_pv_clock_rate(rates[i], &mul, &shift);
		ticks = shift < 0 ? ticks >> -shift : ticks << shift;
		ns = mul_u64_u32_shr(ticks, mul, 32);
		KUNIT_EXPECT_GE_MSG(test, ns, 999999000ULL, "%u", rates[i]);
		KUNIT_EXPECT_LE_MSG(test, ns, 1000001000ULL, "%u", rates[i]);
		/* The factor has all 32 bits of precision */
		KUNIT_EXPECT_GE(test, mul, 1U << 31);
	}
}

static void cpuid_dynamic(struct kunit *test)
{
	struct mvmm_cpuid_host host;
	struct mvmm_cpuid_table *t;
	u32 r[4];

	make_default(test, &host, &t);
	mvmm_cpuid_query(t, 1, 0, 0, 1, 0, r);
	KUNIT_EXPECT_FALSE(test, r[2] & BIT(27));
	mvmm_cpuid_query(t, 1, 0, X86_CR4_OSXSAVE, 1, 0, r);
	KUNIT_EXPECT_TRUE(test, r[2] & BIT(27));
	mvmm_cpuid_query(t, 0xd, 0, 0, 1, 0, r);
	KUNIT_EXPECT_EQ(test, r[0], 7U);
	KUNIT_EXPECT_EQ(test, r[1], 576U);
	KUNIT_EXPECT_EQ(test, r[2], 576U + 256);
	mvmm_cpuid_query(t, 0xd, 0, 0, 7, 0, r);
	KUNIT_EXPECT_EQ(test, r[1], 576U + 256);
	mvmm_cpuid_query(t, 0xd, 1, 0, 7, 0, r);
	KUNIT_EXPECT_EQ(test, r[0], 7U);
	KUNIT_EXPECT_EQ(test, r[1], 576U + 256);
}

/* Protection keys: where the host saves PKRU */
static void cpuid_keys(struct kunit *test)
{
	struct mvmm_cpuid_host host;
	struct mvmm_guest_caps caps;
	struct mvmm_cpuid_table *t;
	u32 r[4];

	make_default(test, &host, &t);
	host.xcr0 = 0x207;
	mvmm_cpuid_default(&host, t);
	mvmm_cpuid_query(t, 7, 0, 0, 1, 0, r);
	KUNIT_EXPECT_EQ(test, r[2] & (BIT(3) | BIT(4)), BIT(3));
	mvmm_cpuid_query(t, 7, 0, X86_CR4_PKE, 1, 0, r);
	KUNIT_EXPECT_EQ(test, r[2] & (BIT(3) | BIT(4)), BIT(3) | BIT(4));
	mvmm_cpuid_caps(t, &caps);
	KUNIT_EXPECT_TRUE(test, caps.cr4 & X86_CR4_PKE);
	KUNIT_EXPECT_EQ(test, caps.xcr0, 0x207ULL);
	KUNIT_EXPECT_TRUE(test, mvmm_xcr0_valid(&caps, 0x207));
	KUNIT_EXPECT_TRUE(test, mvmm_xcr0_valid(&caps, 0x201));
}

static void cpuid_poor_host(struct kunit *test)
{
	struct mvmm_cpuid_host host;
	struct mvmm_cpuid_table *t;
	u32 r[4];

	make_default(test, &host, &t);
	host.xcr0 = 0;
	host.rdtscp = host.invpcid = false;
	mvmm_cpuid_default(&host, t);
	mvmm_cpuid_query(t, 1, 0, 0, 1, 0, r);
	KUNIT_EXPECT_FALSE(test, r[2] & (BIT(26) | BIT(28) | BIT(12)));
	mvmm_cpuid_query(t, 7, 0, 0, 1, 0, r);
	KUNIT_EXPECT_FALSE(test, r[1] & (BIT(5) | BIT(10)));
	KUNIT_EXPECT_FALSE(test, r[2] & BIT(22));
	mvmm_cpuid_query(t, 0x80000001, 0, 0, 1, 0, r);
	KUNIT_EXPECT_FALSE(test, r[3] & BIT(27));
	mvmm_cpuid_query(t, 0xd, 0, 0, 1, 0, r);
	KUNIT_EXPECT_EQ(test, r[0], 0U);
}

static void cpuid_table_check(struct kunit *test)
{
	struct mvmm_cpuid_host host;
	struct mvmm_cpuid_table *t;

	make_default(test, &host, &t);
	t->entry[3] = t->entry[0];
	KUNIT_EXPECT_EQ(test, mvmm_cpuid_check(t), -EINVAL);
	make_default(test, &host, &t);
	t->entry[0].flags = 2;
	KUNIT_EXPECT_EQ(test, mvmm_cpuid_check(t), -EINVAL);
	make_default(test, &host, &t);
	t->entry[0].subleaf = 1;
	KUNIT_EXPECT_EQ(test, mvmm_cpuid_check(t), -EINVAL);
	make_default(test, &host, &t);
	t->entry[0].reserved = 1;
	KUNIT_EXPECT_EQ(test, mvmm_cpuid_check(t), -EINVAL);
}

static void cpuid_to_caps(struct kunit *test)
{
	struct mvmm_guest_caps caps;
	struct mvmm_cpuid_host host;
	struct mvmm_cpuid_table *t;

	make_default(test, &host, &t);
	mvmm_cpuid_caps(t, &caps);
	KUNIT_EXPECT_TRUE(test, caps.cr4 & X86_CR4_OSXSAVE);
	KUNIT_EXPECT_FALSE(test, caps.cr4 & (X86_CR4_VMXE | X86_CR4_LA57 |
					     X86_CR4_PKE));
	KUNIT_EXPECT_EQ(test, caps.efer, (u64)(EFER_SCE | EFER_LME | EFER_NX));
	KUNIT_EXPECT_EQ(test, caps.xcr0, 7ULL);
	KUNIT_EXPECT_EQ(test, caps.phys_bits, 48);
	/* An empty table allows the least, and does not crash */
	t->nr = 0;
	mvmm_cpuid_caps(t, &caps);
	KUNIT_EXPECT_EQ(test, caps.efer, 0ULL);
	KUNIT_EXPECT_EQ(test, caps.xcr0, 1ULL);
	KUNIT_EXPECT_FALSE(test, caps.cr4 & X86_CR4_OSXSAVE);
}

static void msr_values(struct kunit *test)
{
	static const struct { u32 index; u64 value; bool ok; } cases[] = {
		{ MSR_LSTAR, 0xffff800000000000, true },
		{ MSR_LSTAR, 0x0000800000000000, false },
		{ MSR_FS_BASE, 0x00007fffffffffff, true },
		{ MSR_FS_BASE, 0xfffe800000000000, false },
		{ MSR_IA32_SYSENTER_EIP, 1ULL << 47, false },
		{ MSR_SYSCALL_MASK, 0xffffffff, true },
		{ MSR_SYSCALL_MASK, 0x100000000, false },
		{ MSR_TSC_AUX, 0x100000000, false },
		{ MSR_IA32_CR_PAT, 0x0007040600070406, true },
		{ MSR_IA32_CR_PAT, 0x0007040600070402, false },
		{ MSR_IA32_CR_PAT, 0x0307040600070406, false },
		{ MSR_IA32_CR_PAT, 0x0807040600070406, false },
		{ MSR_STAR, ~0ULL, true },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, mvmm_msr_value_ok(
			mvmm_msr_policy(cases[i].index), cases[i].value),
			cases[i].ok, "MSR 0x%x value 0x%llx", cases[i].index,
			cases[i].value);
}

static struct mvmm_vcpu *make_vcpu(struct kunit *test)
{
	struct mvmm_vcpu *vcpu = kunit_kzalloc(test, sizeof(*vcpu), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	vcpu->caps = (struct mvmm_guest_caps){
		.cr4 = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PCIDE |
		       X86_CR4_OSXSAVE | X86_CR4_SMEP,
		.efer = EFER_SCE | EFER_LME | EFER_NX, .xcr0 = 0xe7,
		.phys_bits = 40 };
	return vcpu;
}

static void msr_access(struct kunit *test)
{
	static const u32 absent[] = { 0x1b, 0x3a, 0x48, 0x10a, 0x480, 0x6e0,
				      0x802, 0x40000000, 0xc0010114,
				      0xffffffff };
	struct mvmm_vcpu *vcpu = make_vcpu(test);
	u64 value;
	int i;

	for (i = 0; i < ARRAY_SIZE(absent); i++) {
		KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, absent[i], &value),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, absent[i], 0),
				-EINVAL);
	}
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_STAR, 5), 0);
	KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, MSR_STAR, &value), 0);
	KUNIT_EXPECT_EQ(test, value, 5ULL);
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_SYSENTER_CS, 8), 0);
	KUNIT_EXPECT_EQ(test, stub_msr, 8ULL);
	/* A constant MSR can be written, and keeps its value */
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_UCODE_REV, 0), 0);
	KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, MSR_IA32_UCODE_REV, &value),
			0);
	KUNIT_EXPECT_EQ(test, value, 1ULL << 32);
	/* TSC_AUX exists if CPUID says so */
	KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, MSR_TSC_AUX, &value),
			-EINVAL);
	vcpu->caps.tsc_aux = true;
	KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, MSR_TSC_AUX, &value), 0);
	/* MISC_ENABLE: only some bits can be changed */
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_MISC_ENABLE, 1), 0);
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_MISC_ENABLE, 1 << 16),
			-EINVAL);
}

/* MSRs against bugs of CPUs: as CPUID says, and no bit more */
static void msr_mitigations(struct kunit *test)
{
	struct mvmm_vcpu *vcpu = make_vcpu(test);
	u64 value;

	vcpu->caps.spec_ctrl = SPEC_CTRL_STIBP | SPEC_CTRL_SSBD;
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_SPEC_CTRL, 6), 0);
	KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, MSR_IA32_SPEC_CTRL, &value), 0);
	KUNIT_EXPECT_EQ(test, value, 6ULL);
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_SPEC_CTRL, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_SPEC_CTRL, 1ull << 32),
			-EINVAL);
	/* PRED_CMD comes with IBRS */
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_PRED_CMD, 0), -EINVAL);
	vcpu->caps.spec_ctrl |= SPEC_CTRL_IBRS;
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_PRED_CMD, 0), 0);
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_PRED_CMD, 2), -EINVAL);
	KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, MSR_IA32_PRED_CMD, &value),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_FLUSH_CMD, 0), -EINVAL);
	vcpu->caps.flush_l1d = true;
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_FLUSH_CMD, 0), 0);
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_FLUSH_CMD, 3), -EINVAL);
	/* A guest can only read it; userspace may take away what there is */
	vcpu->caps.arch_capabilities = true;
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_ARCH_CAPABILITIES,
					   ARCH_CAP_MDS_NO), 0);
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_ARCH_CAPABILITIES,
					   ARCH_CAP_TAA_NO), -EINVAL);
	vcpu->in_section = true;
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, MSR_IA32_ARCH_CAPABILITIES, 0),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, MSR_IA32_ARCH_CAPABILITIES,
					   &value), 0);
	KUNIT_EXPECT_EQ(test, value, ARCH_CAP_MDS_NO);
}

#ifdef CONFIG_MVMM_MCE
/* SDM vol. 3, 16.3: what a guest may write, and what userspace, too */
static void machine_checks(struct kunit *test)
{
	static const struct {
		u32 index;
		u64 value;
		bool guest, user;
	} cases[] = {
		{ 0x179, 0 }, { 0x17c, 0 }, { 0x3ff, 0 }, { 0x408, 0 }, { 0x47f, 0 },
		{ 0x17a, 7, true, true }, { 0x17a, 8 }, { 0x17b, 0, true, true },
		{ 0x17b, ~0ull, true, true }, { 0x17b, 2 },
		{ 0x400, ~0ull, true, true }, { 0x404, ~0ull - 0x400, true, true },
		{ 0x400, 1ull << 63 }, { 0x401, 0, true, true },
		{ 0x401, 1, false, true }, { 0x405, ~0ull, false, true },
		{ 0x406, 0x123000, false, true }, { 0x407, 0x86, false, true },
		{ 0x407, 0, true, true },
	};
	struct mvmm_vcpu *vcpu = make_vcpu(test);
	u32 list[MVMM_MAX_STATE_MSRS];
	u64 value;
	int i;

	KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, MVMM_MCG_CAP, &value), -EINVAL);
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, 0x17a, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, mvmm_list_mces(vcpu, list), 0U);
	vcpu->caps.mce = true;
	KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, MVMM_MCG_CAP, &value), 0);
	/* Bit 24 is Intel's */
	KUNIT_EXPECT_EQ(test, value,
			boot_cpu_has(X86_FEATURE_SVM) ? 0x102ULL : 0x1000102ULL);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		vcpu->in_section = true;
		KUNIT_EXPECT_EQ_MSG(test, mvmm_set_msr(vcpu, cases[i].index,
						       cases[i].value),
				    cases[i].guest ? 0 : -EINVAL, "case %d", i);
		vcpu->in_section = false;
		KUNIT_EXPECT_EQ_MSG(test, mvmm_set_msr(vcpu, cases[i].index,
						       cases[i].value),
				    cases[i].user ? 0 : -EINVAL, "case %d", i);
		if (!cases[i].user)
			continue;
		KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, cases[i].index, &value), 0);
		KUNIT_EXPECT_EQ(test, value, cases[i].value);
	}
	KUNIT_EXPECT_EQ(test, mvmm_list_mces(vcpu, list), 10U);
	KUNIT_EXPECT_EQ(test, list[0], 0x17aU);
	KUNIT_EXPECT_EQ(test, list[9], 0x407U);
}
#endif

#ifdef CONFIG_MVMM_MTRR
/* SDM vol. 3, 12.11.2: types, reserved bits, what does not exist */
static void mtrrs(struct kunit *test)
{
	static const struct {
		u32 index;
		u64 value;
		bool ok;
	} cases[] = {
		{ 0x2ff, 0, true }, { 0x2ff, 0xc06, true },
		{ 0x2ff, 0x400, true }, { 0x2ff, 7, false },
		{ 0x2ff, 2, false }, { 0x2ff, 3, false },
		{ 0x2ff, 0x100, false }, { 0x2ff, 0x1000, false },
		{ 0x2ff, 1ull << 63, false },
		{ 0x200, 0x80000000, true }, { 0x20e, 0xfffffff006, true },
		{ 0x200, 2, false }, { 0x200, 0x100, false },
		{ 0x200, 1ull << 40, false },
		{ 0x201, 0xffc0000800, true }, { 0x20f, 0, true },
		{ 0x201, 0x400, false }, { 0x201, 1ull << 40, false },
		{ 0x250, 0x0606060606060606, true },
		{ 0x259, 0x0001040506000104, true },
		{ 0x26f, 0x0606060602060606, false },
		{ 0x268, 0x7ull << 56, false },
		{ MVMM_MTRRCAP, 0x508, false },
		/* Between and behind them, and what is the PAT's */
		{ 0x210, 0, false }, { 0x251, 0, false }, { 0x270, 0, false },
		{ 0x280, 0, false }, { 0x2fe, 0, false },
	};
	struct mvmm_vcpu *vcpu = make_vcpu(test);
	u32 list[MVMM_MAX_STATE_MSRS], n;
	u64 value;
	int i;

	KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, MVMM_MTRRCAP, &value), -EINVAL);
	KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, 0x2ff, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, mvmm_list_mtrrs(vcpu, list), 0U);
	vcpu->caps.mtrr = true;
	mvmm_reset_mtrrs(vcpu);
	KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, 0x2ff, &value), 0);
	KUNIT_EXPECT_EQ(test, value, 0x806ULL);
	KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, MVMM_MTRRCAP, &value), 0);
	KUNIT_EXPECT_EQ(test, value, 0x508ULL);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		KUNIT_EXPECT_EQ_MSG(test, mvmm_set_msr(vcpu, cases[i].index,
						       cases[i].value),
				    cases[i].ok ? 0 : -EINVAL, "case %d", i);
		if (!cases[i].ok)
			continue;
		KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, cases[i].index, &value), 0);
		KUNIT_EXPECT_EQ(test, value, cases[i].value);
	}
	/* Each has a place of its own */
	n = mvmm_list_mtrrs(vcpu, list);
	KUNIT_EXPECT_EQ(test, n, 28U);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, mvmm_set_msr(vcpu, list[i], i < 16 ? i % 2 << 12 :
						   i % 2), 0);
	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_EQ(test, mvmm_get_msr(vcpu, list[i], &value), 0);
		KUNIT_EXPECT_EQ(test, value, i < 16 ? i % 2 << 12 : i % 2);
		KUNIT_EXPECT_EQ(test, value, vcpu->mtrr[i]);
	}
}
#endif

static void control_registers(struct kunit *test)
{
	struct mvmm_vcpu *vcpu = make_vcpu(test);
	const struct mvmm_guest_caps *caps = &vcpu->caps;

	KUNIT_EXPECT_TRUE(test, mvmm_cr0_valid(0x60000010));
	KUNIT_EXPECT_TRUE(test, mvmm_cr0_valid(0x80000011));
	KUNIT_EXPECT_FALSE(test, mvmm_cr0_valid(0x80000010)); /* PG, no PE */
	KUNIT_EXPECT_FALSE(test, mvmm_cr0_valid(0x20000011)); /* NW, no CD */
	KUNIT_EXPECT_FALSE(test, mvmm_cr0_valid(1ULL << 32));
	KUNIT_EXPECT_TRUE(test, mvmm_cr4_valid(caps, X86_CR4_PAE, 0));
	KUNIT_EXPECT_FALSE(test, mvmm_cr4_valid(caps, X86_CR4_VMXE, 0));
	KUNIT_EXPECT_FALSE(test, mvmm_cr4_valid(caps, 0, EFER_LMA));
	KUNIT_EXPECT_FALSE(test, mvmm_cr4_valid(caps, X86_CR4_PCIDE, 0));
	KUNIT_EXPECT_TRUE(test, mvmm_cr4_valid(caps, X86_CR4_PAE |
					       X86_CR4_PCIDE, EFER_LMA));
	KUNIT_EXPECT_FALSE(test, mvmm_efer_valid(caps, EFER_SVME));
	KUNIT_EXPECT_TRUE(test, mvmm_xcr0_valid(caps, 1));
	KUNIT_EXPECT_TRUE(test, mvmm_xcr0_valid(caps, 7));
	KUNIT_EXPECT_TRUE(test, mvmm_xcr0_valid(caps, 0xe7));
	KUNIT_EXPECT_FALSE(test, mvmm_xcr0_valid(caps, 0));
	KUNIT_EXPECT_FALSE(test, mvmm_xcr0_valid(caps, 5)); /* AVX, no SSE */
	KUNIT_EXPECT_FALSE(test, mvmm_xcr0_valid(caps, 0x27));
	KUNIT_EXPECT_FALSE(test, mvmm_xcr0_valid(caps, 0xe3));
	KUNIT_EXPECT_FALSE(test, mvmm_xcr0_valid(caps, 0x207)); /* PKRU */
}

static void mode_switches(struct kunit *test)
{
	struct mvmm_vcpu *vcpu = make_vcpu(test);

	/* Enter long mode as an operating system does */
	vcpu->cr0 = X86_CR0_PE | X86_CR0_ET;
	KUNIT_EXPECT_EQ(test, mvmm_set_efer(vcpu, EFER_LME), 0);
	/* Without PAE: refused */
	KUNIT_EXPECT_EQ(test, mvmm_set_cr0(vcpu, 0x80000011), -EINVAL);
	KUNIT_EXPECT_EQ(test, mvmm_set_cr4(vcpu, X86_CR4_PAE), 0);
	KUNIT_EXPECT_EQ(test, mvmm_set_cr0(vcpu, 0x80000011), 0);
	KUNIT_EXPECT_TRUE(test, vcpu->efer & EFER_LMA);
	KUNIT_EXPECT_EQ(test, mvmm_set_efer(vcpu, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, mvmm_set_cr4(vcpu, 0), -EINVAL);
	/* PCIDE needs CR3[11:0] clear; while it is set paging stays on */
	stub_sregs.cr3 = 0x1001;
	KUNIT_EXPECT_EQ(test, mvmm_set_cr4(vcpu, X86_CR4_PAE | X86_CR4_PCIDE),
			-EINVAL);
	stub_sregs.cr3 = 0x1000;
	KUNIT_EXPECT_EQ(test, mvmm_set_cr4(vcpu, X86_CR4_PAE | X86_CR4_PCIDE),
			0);
	KUNIT_EXPECT_EQ(test, mvmm_set_cr0(vcpu, 0x11), -EINVAL);
	KUNIT_EXPECT_EQ(test, mvmm_set_cr4(vcpu, X86_CR4_PAE), 0);
	/* Leave long mode */
	KUNIT_EXPECT_EQ(test, mvmm_set_cr0(vcpu, 0x11), 0);
	KUNIT_EXPECT_FALSE(test, vcpu->efer & EFER_LMA);
	KUNIT_EXPECT_EQ(test, mvmm_set_efer(vcpu, 0), 0);
	/* In PAE paging 1 says that the PDPTEs must be loaded */
	KUNIT_EXPECT_EQ(test, mvmm_set_cr0(vcpu, 0x80000011), 1);
	KUNIT_EXPECT_EQ(test, mvmm_set_cr4(vcpu, X86_CR4_PAE | X86_CR4_PGE),
			1);
	/* Not on a CPU that has none */
	mvmm_vendor.walk_pdptes = true;
	KUNIT_EXPECT_EQ(test, mvmm_set_cr4(vcpu, X86_CR4_PAE), 0);
	KUNIT_EXPECT_EQ(test, mvmm_set_cr0(vcpu, 0x11), 0);
	KUNIT_EXPECT_EQ(test, mvmm_set_cr0(vcpu, 0x80000011), 0);
	mvmm_vendor.walk_pdptes = false;
}

static void pdptes(struct kunit *test)
{
	u64 good[4] = { 0x1001, 0x2019, 0, ~1ULL };
	u64 bad[4] = { 0x1003 };

	KUNIT_EXPECT_TRUE(test, mvmm_pdptes_valid(good, 40));
	KUNIT_EXPECT_FALSE(test, mvmm_pdptes_valid(bad, 40));
	bad[0] = 1ULL << 40 | 1;
	KUNIT_EXPECT_FALSE(test, mvmm_pdptes_valid(bad, 40));
}

/* Each thing that is wrong is named, FRED before all else */
static void hosts(struct kunit *test)
{
	static const struct {
		struct mvmm_host host;
		enum mvmm_refusal why;
	} cases[] = {
		{ { .vendor = true, .tsc = true }, MVMM_HOST_IS_GOOD },
		/* SVM on a kernel that keeps VMX to itself */
		{ { .vendor = true, .tsc = true, .closed = true },
		  MVMM_HOST_IS_GOOD },
		{ { .vendor = true, .tsc = true, .fred = true },
		  MVMM_HOST_HAS_FRED },
		{ { .closed = true, .tsc = true, .fred = true },
		  MVMM_HOST_HAS_FRED },
		{ { .closed = true, .tsc = true }, MVMM_HOST_IS_CLOSED },
		{ { .tsc = true }, MVMM_HOST_LACKS_VENDOR },
		{ { .vendor = true }, MVMM_HOST_LACKS_TSC },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, mvmm_host_check(&cases[i].host),
				    cases[i].why, "case %d", i);
}

static struct kunit_case policy_cases[] = {
	KUNIT_CASE(hosts),
	KUNIT_CASE(cpuid_filter),
	KUNIT_CASE(cpuid_apic),
	KUNIT_CASE(cpuid_topology),
	KUNIT_CASE(pv_clock_rate),
	KUNIT_CASE(cpuid_dynamic),
	KUNIT_CASE(cpuid_keys),
	KUNIT_CASE(cpuid_poor_host),
	KUNIT_CASE(cpuid_table_check),
	KUNIT_CASE(cpuid_to_caps),
	KUNIT_CASE(msr_values),
	KUNIT_CASE(msr_access),
	KUNIT_CASE(msr_mitigations),
#ifdef CONFIG_MVMM_MCE
	KUNIT_CASE(machine_checks),
#endif
#ifdef CONFIG_MVMM_MTRR
	KUNIT_CASE(mtrrs),
#endif
	KUNIT_CASE(control_registers),
	KUNIT_CASE(mode_switches),
	KUNIT_CASE(pdptes),
	{}
};

static struct kunit_suite policy_suite = {
	.name = "mvmm-policy",
	.test_cases = policy_cases,
};
