// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID: the default policy (the host's leaves, filtered to what mvmm can give
 * a guest), what a table allows the guest to enable, and the instruction.
 * Leaf layouts: SDM vol. 2, CPUID; APM vol. 3, appendix E.
 */
#include <linux/bits.h>
#include <uapi/linux/kvm_para.h>
#include <asm/fpu/types.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "cpuid.h"

#define B(n) BIT(n)

/* Leaf 1 ECX: SSE3 PCLMUL SSSE3 FMA CX16 PCID SSE4.1 SSE4.2 MOVBE POPCNT AES */
#define L1_ECX (B(0) | B(1) | B(9) | B(12) | B(13) | B(17) | B(19) | B(20) | \
		B(22) | B(23) | B(25) | L1_XSAVE | B(28) | B(29) | B(30))
#define L1_PCID B(17)
#define L1_X2APIC B(21)
#define L1_TSC_DEADLINE B(24)
#define L1_XSAVE B(26)		/* and above: AVX F16C RDRAND */
#define L1_OSXSAVE B(27)
#define L1_HYPERVISOR B(31)
/* Leaf 1 EDX: FPU VME DE PSE TSC MSR PAE CX8 SEP PGE CMOV PAT PSE36 CLFSH ... */
#define L1_EDX (B(0) | B(1) | B(2) | B(3) | B(4) | B(5) | B(6) | B(8) | B(11) | \
		B(13) | B(15) | B(16) | B(17) | B(19) | B(23) | B(24) | B(25) | \
		B(26))
#define L1_EDX_APIC B(9)
/* ... MMX FXSR SSE SSE2; no APIC, MTRR, MCE, MCA */

/* Leaf 7 EBX: FSGSBASE BMI1 FDP AVX2 SMEP BMI2 ERMS INVPCID FPU_CSDS ... */
#define L7_EBX (B(0) | B(3) | B(5) | B(6) | B(7) | B(8) | B(9) | L7_INVPCID | \
		B(13) | B(18) | B(19) | B(20) | B(23) | B(24) | B(29) | \
		L7_EBX_AVX512)
#define L7_FSGSBASE B(0)
#define L7_SMEP B(7)
#define L7_SMAP B(20)
#define L7_INVPCID B(10)
#define L7_EBX_AVX512 (B(16) | B(17) | B(21) | B(28) | B(30) | B(31))
/* Leaf 7 ECX: UMIP GFNI VAES VPCLMUL RDPID; AVX-512 VBMI VBMI2 VNNI BITALG POP */
#define L7_ECX (L7_UMIP | B(8) | B(9) | B(10) | L7_RDPID | L7_ECX_AVX512)
#define L7_UMIP B(2)
#define L7_RDPID B(22)
#define L7_ECX_AVX512 (B(1) | B(6) | B(11) | B(12) | B(14))
#define L7_EDX B(4)		/* FSRM */

/* Leaf 0xd, subleaf 1 EAX: XSAVEOPT XSAVEC XGETBV1; no XSAVES */
#define LD_EAX (B(0) | B(1) | B(2))

/* Leaf 0x80000001 ECX: LAHF ABM SSE4A MISALIGN PREFETCHW; EDX */
#define X1_ECX (B(0) | B(5) | B(6) | B(7) | B(8))
#define X1_EDX (X1_SYSCALL | X1_NX | B(26) | X1_RDTSCP | X1_LM)
#define X1_SYSCALL B(11)
#define X1_NX B(20)
#define X1_RDTSCP B(27)
#define X1_LM B(29)
#define X7_EDX B(8)		/* invariant TSC */

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
		r[2] &= 2;	/* aligned in the compacted form */
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
	r[1] &= 0xff00;		/* CLFLUSH size; the APIC id is the vCPU's */
	r[2] = (r[2] & L1_ECX) | L1_HYPERVISOR;
	if (!avx)
		r[2] &= ~(B(12) | B(28) | B(29));
	if (!host->xcr0)
		r[2] &= ~L1_XSAVE;
	r[3] &= L1_EDX;
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
		r[1] &= L7_EBX;
		r[2] &= L7_ECX;
		r[3] &= L7_EDX;
		if (!avx) {
			r[1] &= ~B(5);
			r[2] &= ~(B(9) | B(10));
		}
		if (!avx512) {
			r[1] &= ~L7_EBX_AVX512;
			r[2] &= ~L7_ECX_AVX512;
		}
		if (!host->invpcid)
			r[1] &= ~L7_INVPCID;
		if (!host->rdtscp)
			r[2] &= ~L7_RDPID;
		add(t, 7, 0, MVMM_CPUID_SUBLEAF, r);
	}
	if (max_basic >= 0xd && host->xcr0)
		add_xsave(host, t);
	/* A crystal of 1 kHz: the guest need not calibrate its TSC */
	if (max_basic >= 0x15)
		add(t, 0x15, 0, 0, (u32[4]){ 1, host->tsc_khz, 1000 });
}

static void add_extended(const struct mvmm_cpuid_host *host,
			 struct mvmm_cpuid_table *t)
{
	u32 r[4], max_ext, leaf;

	host->get(0x80000000, 0, r);
	max_ext = min_t(u32, r[0], MAX_EXTENDED);
	r[0] = max_ext;
	add(t, 0x80000000, 0, 0, r);
	for (leaf = 0x80000001; leaf <= max_ext; leaf++) {
		host->get(leaf, 0, r);
		switch (leaf) {
		case 0x80000001:
			r[2] &= X1_ECX;
			r[3] &= X1_EDX;
			if (!host->rdtscp)
				r[3] &= ~X1_RDTSCP;
			break;
		case 0x80000007:
			r[0] = r[1] = r[2] = 0;
			r[3] &= X7_EDX;
			break;
		case 0x80000008:
			r[0] = min(r[0] & 0xff, host->gpa_bits) | 48 << 8;
			r[1] = r[2] = r[3] = 0;
			break;
		}
		add(t, leaf, 0, 0, r);
	}
}

/**
 * mvmm_cpuid_default() - the default policy
 * @host: where to ask, and what the module can offer
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
 * mvmm_cpuid_add_apic() - what a vCPU with a local APIC has beyond the default
 * @table: the default policy
 *
 * x2APIC and the TSC deadline, whatever the host has.
 */
void mvmm_cpuid_add_apic(struct mvmm_cpuid_table *table)
{
	u32 i;

	for (i = 0; i < table->nr; i++) {
		struct mvmm_cpuid_entry *e = &table->entry[i];

		switch (e->leaf) {
		case 1:
			e->ecx |= L1_X2APIC | L1_TSC_DEADLINE;
			e->edx |= L1_EDX_APIC;
			break;
		/* The APIC timer's clock is the crystal's: see lapic.h */
		case 0x15:
			e->ecx = e->ebx * 500;
			e->ebx = 2;
			break;
		}
	}
}

/**
 * mvmm_cpuid_add_kvm() - KVM's signature instead of mvmm's, and its features
 * @table: the default policy
 * @features: of leaf KVM_CPUID_FEATURES
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

/**
 * mvmm_cpuid_check() - is a table from userspace well formed?
 * @table: nr is in range
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
 * @table: the vCPU's
 * @caps: filled in, not yet limited to the host's
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
	bool xsave = l1->ecx & L1_XSAVE;

	caps->cr4 = X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE |
		    X86_CR4_PSE | X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE |
		    X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
	if (l1->ecx & L1_PCID)
		caps->cr4 |= X86_CR4_PCIDE;
	if (xsave)
		caps->cr4 |= X86_CR4_OSXSAVE;
	if (l7->ebx & L7_FSGSBASE)
		caps->cr4 |= X86_CR4_FSGSBASE;
	if (l7->ebx & L7_SMEP)
		caps->cr4 |= X86_CR4_SMEP;
	if (l7->ebx & L7_SMAP)
		caps->cr4 |= X86_CR4_SMAP;
	if (l7->ecx & L7_UMIP)
		caps->cr4 |= X86_CR4_UMIP;
	caps->efer = (x1->edx & X1_SYSCALL ? EFER_SCE : 0) |
		     (x1->edx & X1_LM ? EFER_LME : 0) |
		     (x1->edx & X1_NX ? EFER_NX : 0);
	caps->xcr0 = xsave ? ld->eax | (u64)ld->edx << 32 : 0;
	caps->xcr0 |= XFEATURE_MASK_FP;
	caps->phys_bits = x8->eax & 0xff ?: 36;
	caps->tsc_aux = x1->edx & X1_RDTSCP || l7->ecx & L7_RDPID;
}

/* SDM vol. 1, 13.4: bytes for @xcr0, in the standard or the compacted form */
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
			size = (e->ecx & 2 ? ALIGN(size, 64) : size) + e->eax;
	}
	return size;
}

/**
 * mvmm_cpuid_query() - what CPUID returns
 * @table: the vCPU's
 * @leaf: EAX
 * @subleaf: ECX
 * @cr4: guest's CR4, for OSXSAVE
 * @xcr0: guest's XCR0, for the sizes in leaf 0xd
 * @vcpu_id: initial APIC id
 * @regs: out: EAX, EBX, ECX, EDX
 *
 * A leaf above the highest one reads as the highest basic leaf on Intel CPUs;
 * here it reads as zero, as on AMD's: see Documentation/errata.rst.
 */
void mvmm_cpuid_query(const struct mvmm_cpuid_table *table, u32 leaf,
		      u32 subleaf, u64 cr4, u64 xcr0, u8 vcpu_id, u32 regs[4])
{
	const struct mvmm_cpuid_entry *e = find(table, leaf, subleaf);

	if (!e) {
		memset(regs, 0, 4 * sizeof(regs[0]));
		return;
	}
	regs[0] = e->eax;
	regs[1] = e->ebx;
	regs[2] = e->ecx;
	regs[3] = e->edx;
	if (leaf == 1) {
		regs[1] = (regs[1] & 0xffffff) | vcpu_id << 24;
		regs[2] &= ~L1_OSXSAVE;
		if (cr4 & X86_CR4_OSXSAVE)
			regs[2] |= L1_OSXSAVE;
	} else if (leaf == 0xd && subleaf <= 1) {
		regs[1] = xsave_size(table, xcr0, subleaf == 1);
	}
}
