// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID: the default policy (the host's leaves, filtered to what mvmm can give
 * a guest), what a table allows the guest to enable, and the instruction.
 * Leaf layouts: SDM vol. 2, CPUID; APM vol. 3, appendix E.
 */
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <uapi/linux/kvm_para.h>
#include <asm/cpufeatures.h>
#include <asm/fpu/types.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "cpuid.h"

/*
 * The bit of a feature, by the kernel's name for it. The kernel's number is 32
 * times the number of the register, plus the bit in it, so a name in the list
 * of another register does not compile.
 */
#define FEATURE(reg, nr)						\
	(BIT((nr) & 31) + BUILD_BUG_ON_ZERO((nr) / 32 != (reg)))

/* What a guest is offered, if the host has it. Leaf 1 */
#define L1D(name) FEATURE(0, X86_FEATURE_##name)
#define L1C(name) FEATURE(4, X86_FEATURE_##name)
/* APIC only with a local APIC */
#define L1_EDX								\
	(L1D(FPU) | L1D(VME) | L1D(DE) | L1D(PSE) | L1D(TSC) | L1D(MSR) | \
	 L1D(PAE) | L1_EDX_MCE | L1D(CX8) | L1D(SEP) | L1D(MTRR) |	\
	 L1D(PGE) | L1D(CMOV) | L1D(PAT) | L1D(PSE36) | L1D(CLFLUSH) |	\
	 L1D(MMX) | L1D(FXSR) | L1D(XMM) | L1D(XMM2))
#define L1_EDX_MCE (L1D(MCE) | L1D(MCA))
#define L1_ECX								\
	(L1C(XMM3) | L1C(PCLMULQDQ) | L1C(SSSE3) | L1C(CX16) | L1C(PCID) | \
	 L1C(XMM4_1) | L1C(XMM4_2) | L1C(MOVBE) | L1C(POPCNT) |		\
	 L1C(AES) | L1C(XSAVE) | L1C(RDRAND) | L1_ECX_AVX)
#define L1_ECX_AVX (L1C(FMA) | L1C(AVX) | L1C(F16C))

/* Leaf 7, subleaf 0 */
#define L7B(name) FEATURE(9, X86_FEATURE_##name)
#define L7C(name) FEATURE(16, X86_FEATURE_##name)
#define L7D(name) FEATURE(18, X86_FEATURE_##name)
#define L7_EBX								\
	(L7B(FSGSBASE) | L7B(BMI1) | L7B(AVX2) | L7B(FDP_EXCPTN_ONLY) |	\
	 L7B(SMEP) | L7B(BMI2) | L7B(ERMS) | L7B(INVPCID) |		\
	 L7B(ZERO_FCS_FDS) | L7B(RDSEED) | L7B(ADX) | L7B(SMAP) |	\
	 L7B(CLFLUSHOPT) | L7B(CLWB) | L7B(SHA_NI) | L7_EBX_AVX512)
#define L7_EBX_AVX512							\
	(L7B(AVX512F) | L7B(AVX512DQ) | L7B(AVX512IFMA) | L7B(AVX512CD) | \
	 L7B(AVX512BW) | L7B(AVX512VL))
#define L7_ECX								\
	(L7C(UMIP) | L7C(PKU) | L7C(GFNI) | L7_ECX_AVX | L7C(RDPID) |	\
	 L7_ECX_AVX512)
#define L7_ECX_AVX (L7C(VAES) | L7C(VPCLMULQDQ))
#define L7_ECX_AVX512							\
	(L7C(AVX512VBMI) | L7C(AVX512_VBMI2) | L7C(AVX512_VNNI) |	\
	 L7C(AVX512_BITALG) | L7C(AVX512_VPOPCNTDQ))
#define L7_EDX								\
	(L7D(FSRM) | L7D(MD_CLEAR) | L7_EDX_SPEC_CTRL | L7D(FLUSH_L1D) |	\
	 L7D(ARCH_CAPABILITIES))
#define L7_EDX_SPEC_CTRL						\
	(L7D(SPEC_CTRL) | L7D(INTEL_STIBP) | L7D(SPEC_CTRL_SSBD))

/* Leaf 0xd, subleaf 1; not XSAVES */
#define LDA(name) FEATURE(10, X86_FEATURE_##name)
#define LD_EAX (LDA(XSAVEOPT) | LDA(XSAVEC) | LDA(XGETBV1))
/* Subleaf 2 and above, ECX */
#define LD_ALIGNED BIT(1)	/* in the compacted form, to 64 bytes */

/* Leaf 0x80000001 */
#define X1D(name) FEATURE(1, X86_FEATURE_##name)
#define X1C(name) FEATURE(6, X86_FEATURE_##name)
#define X1_EDX								\
	(X1D(SYSCALL) | X1D(NX) | X1D(GBPAGES) | X1D(RDTSCP) | X1D(LM))
#define X1_ECX								\
	(X1C(LAHF_LM) | X1C(ABM) | X1C(SSE4A) | X1C(MISALIGNSSE) |	\
	 X1C(3DNOWPREFETCH))

/* Leaf 0x80000007 */
#define X7B(name) FEATURE(17, X86_FEATURE_##name)
#define X7_EDX_INVARIANT_TSC BIT(8)

/* Leaf 0xb, and ECX of its levels: the type, and the subleaf's number */
#define TOPOLOGY 0xb
#define TOPOLOGY_SMT 0x100
#define TOPOLOGY_CORE 0x201

#define MAX_BASIC 0x15
#define MAX_EXTENDED 0x80000008
#define HYPERVISOR 0x40000000

static struct mvmm_cpuid_entry *add(struct mvmm_cpuid_table *t, u32 leaf,
				    u32 subleaf, u32 flags, const u32 r[4])
{
	struct mvmm_cpuid_entry *e = &t->entry[t->nr++];

	*e = (struct mvmm_cpuid_entry){
		.leaf = leaf, .subleaf = subleaf, .flags = flags,
		.eax = r[0], .ebx = r[1], .ecx = r[2], .edx = r[3] };
	return e;
}

static const struct mvmm_cpuid_entry *
find(const struct mvmm_cpuid_table *table, u32 leaf, u32 subleaf)
{
	u32 i;

	for (i = 0; i < table->nr; i++) {
		const struct mvmm_cpuid_entry *e = &table->entry[i];

		if (e->leaf == leaf && (!(e->flags & MVMM_CPUID_SUBLEAF) ||
					e->subleaf == subleaf))
			return e;
	}
	return NULL;
}

static void add_xsave(const struct mvmm_cpuid_host *host,
		      struct mvmm_cpuid_table *t)
{
	u32 r[4], size = 576;
	int i;

	for (i = 2; i < 32; i++) {
		if (!(host->xcr0 & BIT_ULL(i)))
			continue;
		host->get(0xd, i, r);
		size = max(size, r[0] + r[1]);
		r[2] &= LD_ALIGNED;
		r[3] = 0;
		add(t, 0xd, i, MVMM_CPUID_SUBLEAF, r);
	}
	add(t, 0xd, 0, MVMM_CPUID_SUBLEAF,
	    (u32[4]){ host->xcr0, 0, size, host->xcr0 >> 32 });
	host->get(0xd, 1, r);
	add(t, 0xd, 1, MVMM_CPUID_SUBLEAF, (u32[4]){ r[0] & LD_EAX });
}

static void add_basic(const struct mvmm_cpuid_host *host,
		      struct mvmm_cpuid_table *t)
{
	bool avx512 = host->xcr0 & XFEATURE_MASK_ZMM_Hi256;
	bool avx = host->xcr0 & XFEATURE_MASK_YMM;
	u32 r[4], max_basic, i;

	host->get(0, 0, r);
	max_basic = min_t(u32, r[0], MAX_BASIC);
	r[0] = max_basic;
	add(t, 0, 0, 0, r);

	host->get(1, 0, r);
	/* CLFLUSH size only: mvmm_cpuid_query() adds the vCPU's APIC id */
	r[1] &= 0xff00;
	r[2] = (r[2] & L1_ECX) | L1C(HYPERVISOR);
	if (!avx)
		r[2] &= ~L1_ECX_AVX;
	if (!host->xcr0)
		r[2] &= ~L1C(XSAVE);
	r[3] &= L1_EDX;
	if (!IS_ENABLED(CONFIG_MVMM_MTRR))
		r[3] &= ~L1D(MTRR);
	if (!IS_ENABLED(CONFIG_MVMM_MCE))
		r[3] &= ~L1_EDX_MCE;
	add(t, 1, 0, 0, r);

	if (max_basic >= 2) {
		host->get(2, 0, r);
		add(t, 2, 0, 0, r);
	}
	for (i = 0; max_basic >= 4 && i < 8; i++) {
		host->get(4, i, r);
		if (!(r[0] & 0x1f))
			break;
		r[0] &= 0x3fff;	/* one core, one thread */
		add(t, 4, i, MVMM_CPUID_SUBLEAF, r);
	}
	if (max_basic >= 7) {
		host->get(7, 0, r);
		r[0] = 0;
		r[1] = (r[1] & L7_EBX) | L7B(TSC_ADJUST);
		r[2] &= L7_ECX;
		r[3] &= L7_EDX;
		if (!avx) {
			r[1] &= ~L7B(AVX2);
			r[2] &= ~L7_ECX_AVX;
		}
		if (!avx512) {
			r[1] &= ~L7_EBX_AVX512;
			r[2] &= ~L7_ECX_AVX512;
		}
		if (!(host->xcr0 & XFEATURE_MASK_PKRU))
			r[2] &= ~L7C(PKU);
		if (!host->invpcid)
			r[1] &= ~L7B(INVPCID);
		if (!host->rdtscp)
			r[2] &= ~L7C(RDPID);
		if (!host->spec_ctrl)
			r[3] &= ~L7_EDX_SPEC_CTRL;
		add(t, 7, 0, MVMM_CPUID_SUBLEAF, r);
	}
	if (max_basic >= 0xd && host->xcr0)
		add_xsave(host, t);
	/*
	 * TSC rate = crystal * EBX / EAX. With a crystal of 1 kHz EBX is the
	 * rate in kHz, and the guest need not calibrate its TSC.
	 */
	if (max_basic >= 0x15)
		add(t, 0x15, 0, 0, (u32[4]){ 1, host->tsc_khz, 1000 });
}

static void add_extended(const struct mvmm_cpuid_host *host,
			 struct mvmm_cpuid_table *t)
{
	u32 r[4], max_ext, leaf;
	bool mca = false;

	host->get(0x80000000, 0, r);
	max_ext = min_t(u32, r[0], MAX_EXTENDED);
	r[0] = max_ext;
	add(t, 0x80000000, 0, 0, r);
	for (leaf = 0x80000001; leaf <= max_ext; leaf++) {
		host->get(leaf, 0, r);
		switch (leaf) {
		case 0x80000001:
			mca = IS_ENABLED(CONFIG_MVMM_MCE) && r[2] & X1C(SVM);
			r[2] &= X1_ECX;
			r[3] &= X1_EDX;
			if (!host->rdtscp)
				r[3] &= ~X1D(RDTSCP);
			break;
		case 0x80000007:
			r[0] = r[2] = 0;
			/* As IA32_MCG_CAP[24] says on Intel's CPUs */
			r[1] = mca ? X7B(OVERFLOW_RECOV) | X7B(SUCCOR) : 0;
			r[3] &= X7_EDX_INVARIANT_TSC;
			break;
		case 0x80000008:
			r[0] = min(r[0] & 0xff, host->gpa_bits) | 48 << 8;
			r[1] = r[2] = r[3] = 0;
			break;
		}
		add(t, leaf, 0, 0, r);
	}
}

/* tour 33: what a guest's CPU has by default */

/**
 * mvmm_cpuid_default() - make the table that a new vCPU gets
 * @host: reads the host's CPUID, and says what the module can offer
 * @table: filled in
 */
void mvmm_cpuid_default(const struct mvmm_cpuid_host *host,
			struct mvmm_cpuid_table *table)
{
	/* "MvmmMvmmMvmm" */
	static const u32 signature[4] = {
		HYPERVISOR, 0x6d6d764d, 0x6d6d764d, 0x6d6d764d };

	memset(table, 0, sizeof(*table));
	add_basic(host, table);
	add(table, HYPERVISOR, 0, 0, signature);
	add_extended(host, table);
}

/**
 * mvmm_cpuid_add_apic() - add what a vCPU with a local APIC has
 * @table: from mvmm_cpuid_default()
 *
 * x2APIC mode and the TSC deadline timer are emulated, so the guest has them
 * even if the host has not.
 */
void mvmm_cpuid_add_apic(struct mvmm_cpuid_table *table)
{
	u32 i;

	/* One thread, one core; mvmm_cpuid_query() adds the vCPU's x2APIC id */
	if (find(table, 0, 0)->eax >= TOPOLOGY) {
		add(table, TOPOLOGY, 0, MVMM_CPUID_SUBLEAF,
		    (u32[4]){ 0, 1, TOPOLOGY_SMT });
		add(table, TOPOLOGY, 1, MVMM_CPUID_SUBLEAF,
		    (u32[4]){ 0, 1, TOPOLOGY_CORE });
	}
	for (i = 0; i < table->nr; i++) {
		struct mvmm_cpuid_entry *e = &table->entry[i];

		switch (e->leaf) {
		case 1:
			e->ecx |= L1C(X2APIC) | L1C(TSC_DEADLINE_TIMER);
			e->edx |= L1D(APIC);
			break;
		/*
		 * Guests take the crystal's rate for that of the APIC timer,
		 * which is half the TSC's (lapic.h): so ECX is that rate in Hz,
		 * and the ratio is 2.
		 */
		case 0x15:
			e->ecx = e->ebx * 500;
			e->ebx = 2;
			break;
		}
	}
}

/**
 * mvmm_cpuid_add_kvm() - show KVM's signature instead of mvmm's
 * @table: from mvmm_cpuid_default()
 * @features: EAX of the leaf KVM_CPUID_FEATURES, which is added
 */
void mvmm_cpuid_add_kvm(struct mvmm_cpuid_table *table, u32 features)
{
	u32 i;

	add(table, KVM_CPUID_FEATURES, 0, 0, (u32[4]){ features });
	for (i = 0; i < table->nr; i++) {
		struct mvmm_cpuid_entry *e = &table->entry[i];

		if (e->leaf != HYPERVISOR)
			continue;
		/* "KVMKVMKVM": see pv/pv.c */
		e->eax = KVM_CPUID_FEATURES;
		e->ebx = 0x4b4d564b;
		e->ecx = 0x564b4d56;
		e->edx = 0x4d;
	}
}

/**
 * mvmm_cpuid_check() - is a table from userspace well formed?
 * @table: its nr is at most MVMM_MAX_CPUID
 *
 * Return: 0 or -EINVAL.
 */
int mvmm_cpuid_check(const struct mvmm_cpuid_table *table)
{
	u32 i;

	for (i = 0; i < table->nr; i++) {
		const struct mvmm_cpuid_entry *e = &table->entry[i];

		if (e->flags & ~MVMM_CPUID_SUBLEAF || e->reserved ||
		    (!(e->flags & MVMM_CPUID_SUBLEAF) && e->subleaf) ||
		    find(table, e->leaf, e->subleaf) != e)
			return -EINVAL;
	}
	return 0;
}

/**
 * mvmm_cpuid_caps() - what a table lets the guest enable
 * @table: the vCPU's table
 * @caps: filled in; the caller limits it to what the host has
 */
void mvmm_cpuid_caps(const struct mvmm_cpuid_table *table,
		     struct mvmm_guest_caps *caps)
{
	static const struct mvmm_cpuid_entry none;
	const struct mvmm_cpuid_entry *l1 = find(table, 1, 0) ?: &none;
	const struct mvmm_cpuid_entry *l7 = find(table, 7, 0) ?: &none;
	const struct mvmm_cpuid_entry *ld = find(table, 0xd, 0) ?: &none;
	const struct mvmm_cpuid_entry *x1 = find(table, 0x80000001, 0) ?: &none;
	const struct mvmm_cpuid_entry *x8 = find(table, 0x80000008, 0) ?: &none;
	bool xsave = l1->ecx & L1C(XSAVE);

	caps->cr4 = X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE |
		    X86_CR4_PSE | X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE |
		    X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
	if (l1->ecx & L1C(PCID))
		caps->cr4 |= X86_CR4_PCIDE;
	if (xsave)
		caps->cr4 |= X86_CR4_OSXSAVE;
	if (l7->ebx & L7B(FSGSBASE))
		caps->cr4 |= X86_CR4_FSGSBASE;
	if (l7->ebx & L7B(SMEP))
		caps->cr4 |= X86_CR4_SMEP;
	if (l7->ebx & L7B(SMAP))
		caps->cr4 |= X86_CR4_SMAP;
	if (l7->ecx & L7C(UMIP))
		caps->cr4 |= X86_CR4_UMIP;
	if (l7->ecx & L7C(PKU))
		caps->cr4 |= X86_CR4_PKE;
	caps->efer = (x1->edx & X1D(SYSCALL) ? EFER_SCE : 0) |
		     (x1->edx & X1D(LM) ? EFER_LME : 0) |
		     (x1->edx & X1D(NX) ? EFER_NX : 0);
	caps->xcr0 = xsave ? ld->eax | (u64)ld->edx << 32 : 0;
	caps->xcr0 |= XFEATURE_MASK_FP;
	/* SDM vol. 2, CPUID: 36 where the leaf does not exist */
	caps->phys_bits = x8->eax & 0xff ?: 36;
	caps->invpcid = l7->ebx & L7B(INVPCID);
	caps->tsc_adjust = l7->ebx & L7B(TSC_ADJUST);
	/* SDM vol. 4, 2.1: STIBP may be written where IBRS is */
	caps->spec_ctrl =
		(l7->edx & L7D(SPEC_CTRL) ? SPEC_CTRL_IBRS | SPEC_CTRL_STIBP : 0) |
		(l7->edx & L7D(INTEL_STIBP) ? SPEC_CTRL_STIBP : 0) |
		(l7->edx & L7D(SPEC_CTRL_SSBD) ? SPEC_CTRL_SSBD : 0);
	caps->mce = (l1->edx & L1_EDX_MCE) == L1_EDX_MCE;
	caps->mtrr = l1->edx & L1D(MTRR);
	caps->flush_l1d = l7->edx & L7D(FLUSH_L1D);
	caps->arch_capabilities = l7->edx & L7D(ARCH_CAPABILITIES);
	caps->tsc_aux = x1->edx & X1D(RDTSCP) || l7->ecx & L7C(RDPID);
}

/*
 * Bytes of an XSAVE area for @xcr0, in the standard or the compacted form (SDM
 * vol. 1, 13.4)
 */
static u32 xsave_size(const struct mvmm_cpuid_table *table, u64 xcr0,
		      bool compacted)
{
	u32 size = 576;
	int i;

	for (i = 2; i < 32; i++) {
		const struct mvmm_cpuid_entry *e;

		if (!(xcr0 & BIT_ULL(i)))
			continue;
		e = find(table, 0xd, i);
		if (!e)
			continue;
		if (!compacted)
			size = max(size, e->eax + e->ebx);
		else
			size = (e->ecx & LD_ALIGNED ? ALIGN(size, 64) : size) +
			       e->eax;
	}
	return size;
}

/**
 * mvmm_cpuid_query() - what CPUID returns
 * @table: the vCPU's table
 * @leaf: EAX
 * @subleaf: ECX
 * @cr4: guest's CR4, for OSXSAVE and OSPKE
 * @xcr0: guest's XCR0, for the sizes in leaf 0xd
 * @vcpu_id: APIC id, initial and of x2APIC mode
 * @regs: out: EAX, EBX, ECX, EDX
 *
 * On an Intel CPU a leaf above the highest one reads as the highest basic leaf.
 * Here it reads as zero, as on AMD's CPUs: see Documentation/errata.rst.
 */
void mvmm_cpuid_query(const struct mvmm_cpuid_table *table, u32 leaf,
		      u32 subleaf, u64 cr4, u64 xcr0, u8 vcpu_id, u32 regs[4])
{
	const struct mvmm_cpuid_entry *e = find(table, leaf, subleaf);

	if (!e) {
		memset(regs, 0, 4 * sizeof(regs[0]));
		/* SDM vol. 2, CPUID: a level that is not there still has these */
		if (leaf == TOPOLOGY && find(table, leaf, 0)) {
			regs[2] = subleaf & 0xff;
			regs[3] = vcpu_id;
		}
		return;
	}
	regs[0] = e->eax;
	regs[1] = e->ebx;
	regs[2] = e->ecx;
	regs[3] = e->edx;
	if (leaf == 1) {
		regs[1] = (regs[1] & 0xffffff) | vcpu_id << 24;
		regs[2] &= ~L1C(OSXSAVE);
		if (cr4 & X86_CR4_OSXSAVE)
			regs[2] |= L1C(OSXSAVE);
	} else if (leaf == 7 && !subleaf) {
		regs[2] &= ~L7C(OSPKE);
		if (cr4 & X86_CR4_PKE)
			regs[2] |= L7C(OSPKE);
	} else if (leaf == TOPOLOGY) {
		regs[3] = vcpu_id;
	} else if (leaf == 0xd && subleaf <= 1) {
		regs[1] = xsave_size(table, xcr0, subleaf == 1);
	}
}
