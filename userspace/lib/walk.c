// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Translation of guest linear addresses to guest-physical ones, in every paging
 * mode (SDM vol. 3, chapter 4), and accesses through it. Protection keys are
 * missing because guests are not offered them.
 */
#include <errno.h>
#include <string.h>
#include "internal.h"

#define CR0_PG		(1u << 31)
#define CR0_WP		(1u << 16)
#define CR4_PSE		(1u << 4)
#define CR4_PAE		(1u << 5)
#define CR4_SMEP	(1u << 20)
#define CR4_SMAP	(1u << 21)
#define EFER_LMA	(1u << 10)
#define EFER_NX		(1u << 11)
#define RFLAGS_AC	(1u << 18)

#define PTE_P		(1ull << 0)
#define PTE_W		(1ull << 1)
#define PTE_U		(1ull << 2)
#define PTE_A		(1ull << 5)
#define PTE_D		(1ull << 6)
#define PTE_PS		(1ull << 7)
#define PTE_NX		(1ull << 63)
#define PTE_ADDR	0x000ffffffffff000ull

#define PF_PRESENT	(1u << 0)
#define PF_WRITE	(1u << 1)
#define PF_USER		(1u << 2)
#define PF_FETCH	(1u << 4)

struct mode {
	int levels;		/* of tables */
	int index_bits;
	int entry_size;
	bool pae;		/* the level above is the four PDPTEs */
};

static struct mode paging_mode(const struct mvmm_paging *s)
{
	if (s->cr4 & CR4_PAE)
		return (struct mode){ 2, 9, 8, true };
	return (struct mode){ 2, 10, 4, false };
}

static bool is_user(const struct mvmm_paging *s)
{
	return s->cpl == 3;
}

static bool allowed(const struct mvmm_guest *guest, const struct mvmm_paging *s,
		    uint64_t rights, uint64_t nx, uint32_t access)
{
	bool user_page = rights & PTE_U;

	if (is_user(s)) {
		if (!user_page)
			return false;
		if (access & MVMM_ACCESS_WRITE && !(rights & PTE_W))
			return false;
	} else {
		if (access & MVMM_ACCESS_WRITE && !(rights & PTE_W) &&
		    s->cr0 & CR0_WP)
			return false;
		if (user_page && access & MVMM_ACCESS_EXEC &&
		    s->cr4 & CR4_SMEP)
			return false;
		if (user_page && !(access & MVMM_ACCESS_EXEC) &&
		    s->cr4 & CR4_SMAP &&
		    !(guest->run->regs.rflags & RFLAGS_AC))
			return false;
	}
	return !(access & MVMM_ACCESS_EXEC && nx);
}

static int page_fault(const struct mvmm_paging *s, uint64_t gva, uint32_t access,
		      bool present, struct mvmm_page_fault *fault)
{
	bool nx_on = s->efer & EFER_NX && (s->cr4 & CR4_PAE);

	fault->gva = gva;
	fault->error_code = (present ? PF_PRESENT : 0) |
		(access & MVMM_ACCESS_WRITE ? PF_WRITE : 0) |
		(is_user(s) ? PF_USER : 0) |
		(access & MVMM_ACCESS_EXEC && (nx_on || s->cr4 & CR4_SMEP) ?
		 PF_FETCH : 0);
	return -EFAULT;
}

/* 64-bit paging, as guests use it when speed matters */
static int translate64(struct mvmm_guest *guest, const struct mvmm_paging *s,
		       uint64_t gva, uint32_t access, uint64_t *gpa,
		       struct mvmm_page_fault *fault)
{
	uint64_t table = s->cr3 & PTE_ADDR, rights = PTE_W | PTE_U, nx = 0;
	uint64_t pte, set = PTE_A, mask;
	uint64_t *entry;
	int shift;

	for (shift = 39; ; shift -= 9) {
		entry = mvmm_ram(guest, table + (gva >> shift & 511) * 8, 8);
		if (!entry || !((pte = *entry) & PTE_P))
			return page_fault(s, gva, access, false, fault);
		rights &= pte;
		nx |= pte;
		if (shift == 12 || (pte & PTE_PS && shift < 39))
			break;
		if (!(pte & PTE_A))
			*entry = pte | PTE_A;
		table = pte & PTE_ADDR;
	}
	if (!allowed(guest, s, rights, s->efer & EFER_NX ? nx & PTE_NX : 0,
		     access))
		return page_fault(s, gva, access, true, fault);
	if (access & MVMM_ACCESS_WRITE)
		set |= PTE_D;
	if ((pte & set) != set)
		*entry = pte | set;
	mask = (1ull << shift) - 1;
	*gpa = (pte & PTE_ADDR & ~mask) | (gva & mask);
	return 0;
}

/* Not inlined: the registers that it saves would slow down 64-bit paging */
static __attribute__((noinline)) int
translate32(struct mvmm_guest *guest, const struct mvmm_paging *s, uint64_t gva,
	    uint32_t access, uint64_t *gpa, struct mvmm_page_fault *fault)
{
	struct mode mode = paging_mode(s);
	uint64_t table, rights = PTE_W | PTE_U, nx = 0;
	int level;

	if (!(s->cr0 & CR0_PG)) {
		*gpa = (uint32_t)gva;
		return 0;
	}
	if (mode.pae) {
		uint64_t pdpte = s->pdpte[(gva >> 30) & 3];

		/* SVM keeps no PDPTEs: the CPU has read this one from memory */
		if (!(s->pdpte[0] | s->pdpte[1] | s->pdpte[2] | s->pdpte[3])) {
			void *entry = mvmm_ram(guest,
				(s->cr3 & 0xffffffe0) + (gva >> 30 & 3) * 8, 8);

			if (entry)
				memcpy(&pdpte, entry, 8);
		}
		if (!(pdpte & PTE_P))
			return page_fault(s, gva, access, false, fault);
		table = pdpte & PTE_ADDR;
	} else {
		table = s->cr3 & 0xfffff000;
	}
	for (level = mode.levels; level > 0; level--) {
		int shift = 12 + mode.index_bits * (level - 1);
		uint64_t mask = (1ull << shift) - 1, pte = 0, old;
		uint64_t index = (gva >> shift) & ((1u << mode.index_bits) - 1);
		bool leaf;
		void *entry = mvmm_ram(guest,
					    table + index * mode.entry_size,
					    mode.entry_size);

		/* A table outside RAM: treat its entry as not present */
		if (!entry)
			return page_fault(s, gva, access, false, fault);
		pte = mode.entry_size == 8 ? *(uint64_t *)entry :
					     *(uint32_t *)entry;
		if (!(pte & PTE_P))
			return page_fault(s, gva, access, false, fault);
		rights &= pte;
		if (s->efer & EFER_NX && mode.entry_size == 8)
			nx |= pte & PTE_NX;
		leaf = level == 1 || (pte & PTE_PS &&
				      (mode.entry_size == 8 ||
				       s->cr4 & CR4_PSE));
		if (leaf && !allowed(guest, s, rights, nx, access))
			return page_fault(s, gva, access, true, fault);
		old = pte;
		pte |= PTE_A;
		if (leaf && access & MVMM_ACCESS_WRITE)
			pte |= PTE_D;
		if (pte != old)
			memcpy(entry, &pte, mode.entry_size);
		if (leaf) {
			uint64_t base = pte & PTE_ADDR & ~mask;

			/* PSE-36: bits 39:32 are in 20:13 (table 4-4) */
			if (mode.entry_size == 4 && level == 2)
				base = (pte & 0xffc00000) |
				       ((pte >> 13) & 0xff) << 32;
			*gpa = base | (gva & mask);
			return 0;
		}
		table = pte & PTE_ADDR;
	}
	return -EPROTO;
}

int mvmm_translate(struct mvmm_guest *guest, const struct mvmm_paging *s,
		   uint64_t gva, uint32_t access, uint64_t *gpa,
		   struct mvmm_page_fault *fault)
{
	if (s->efer & EFER_LMA)
		return translate64(guest, s, gva, access, gpa, fault);
	return translate32(guest, s, gva, access, gpa, fault);
}

static void access_part(struct mvmm_guest *guest, uint64_t gpa, void *data,
			unsigned int len, bool write)
{
	void *ram = mvmm_ram(guest, gpa, len);

	if (!ram)
		guest->mmio(guest->ctx, gpa, data, len, write);
	else if (write)
		memcpy(ram, data, len);
	else
		memcpy(data, ram, len);
}

int mvmm_access(struct mvmm_guest *guest, const struct mvmm_paging *s,
		uint64_t gva, void *data, unsigned int size, bool write,
		struct mvmm_page_fault *fault)
{
	uint32_t access = write ? MVMM_ACCESS_WRITE : MVMM_ACCESS_READ;
	unsigned int first = 4096 - (gva & 4095);
	uint64_t gpa, gpa2;
	int ret;

	if (!(s->efer & EFER_LMA))
		gva = (uint32_t)gva;
	ret = mvmm_translate(guest, s, gva, access, &gpa, fault);
	if (ret)
		return ret;
	if (size <= first) {
		access_part(guest, gpa, data, size, write);
		return 0;
	}
	/* Translate both pages before any part is read or written */
	ret = mvmm_translate(guest, s, gva + first, access, &gpa2, fault);
	if (ret)
		return ret;
	access_part(guest, gpa, data, first, write);
	access_part(guest, gpa2, (char *)data + first, size - first, write);
	return 0;
}
