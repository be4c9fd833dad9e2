// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Translation of guest linear addresses to guest-physical ones, in every paging
 * mode (SDM vol. 3, chapter 4), and accesses through it.
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
#define CR4_PKE		(1u << 22)
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
#define PF_PK		(1u << 5)

static bool is_user(const struct mvmm_paging *s)
{
	return s->cpl == 3;
}

static bool allowed(const struct mvmm_guest *guest, const struct mvmm_paging *s,
		    uint64_t rights, uint64_t nx, uint32_t access)
{
	bool user_page = rights & PTE_U, fetch = access & MVMM_ACCESS_EXEC;

	if (access & MVMM_ACCESS_WRITE && !(rights & PTE_W) &&
	    (is_user(s) || s->cr0 & CR0_WP))
		return false;
	if (user_page && !is_user(s))
		return fetch ? !nx && !(s->cr4 & CR4_SMEP) :
		       !(s->cr4 & CR4_SMAP) ||
		       guest->run->regs.rflags & RFLAGS_AC;
	return (user_page || !is_user(s)) && !(fetch && nx);
}

/* Does the protection key of a user's page forbid it (4.6.2)? */
static bool is_locked(const struct mvmm_paging *s, uint64_t rights, uint64_t pte,
		      uint32_t access)
{
	uint32_t key = s->pkru >> 2 * (pte >> 59 & 15);
	bool ad = key & 1, wd = key & 2 && (is_user(s) || s->cr0 & CR0_WP);

	return s->cr4 & CR4_PKE && rights & PTE_U && !(access & MVMM_ACCESS_EXEC) &&
	       (ad || (wd && access & MVMM_ACCESS_WRITE));
}

static int page_fault(const struct mvmm_paging *s, uint64_t gva, uint32_t access,
		      bool present, struct mvmm_exception *exception)
{
	bool nx_on = s->efer & EFER_NX && (s->cr4 & CR4_PAE);

	exception->vector = 14;
	exception->has_error = true;
	exception->address = gva;
	exception->error_code = (present ? PF_PRESENT : 0) |
		(access & MVMM_ACCESS_WRITE ? PF_WRITE : 0) |
		(is_user(s) ? PF_USER : 0) |
		(access & MVMM_ACCESS_EXEC && (nx_on || s->cr4 & CR4_SMEP) ?
		 PF_FETCH : 0);
	return -EFAULT;
}

/*
 * Sets accessed and dirty bits in the entry at @gpa, which was @old. Other vCPUs
 * may change it at the same time, and their change must not be undone: false if
 * it is not @old any more. An entry in read-only memory stays as it is.
 */
static bool set_bits(struct mvmm_guest *guest, uint64_t gpa, unsigned int size,
		     uint64_t old, uint64_t bits)
{
	uint32_t old32 = old;
	void *entry;

	if ((old & bits) == bits)
		return true;
	entry = mvmm_ram(guest, gpa, size, MVMM_ACCESS_WRITE);
	if (!entry)
		return true;
	if (size == 4)
		return __atomic_compare_exchange_n((uint32_t *)entry, &old32,
						   old | bits, false,
						   __ATOMIC_SEQ_CST,
						   __ATOMIC_SEQ_CST);
	return __atomic_compare_exchange_n((uint64_t *)entry, &old, old | bits,
					   false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

/*
 * 64-bit paging, as guests use it when speed matters. Like the other walk,
 * returns -EAGAIN if another vCPU has changed an entry meanwhile: walk again.
 */
static int translate64(struct mvmm_guest *guest, const struct mvmm_paging *s,
		       uint64_t gva, uint32_t access, uint64_t *gpa,
		       struct mvmm_exception *exception)
{
	uint64_t table = s->cr3 & PTE_ADDR, rights = PTE_W | PTE_U, nx = 0;
	uint64_t pte, at, mask;
	const uint64_t *entry;
	int shift;

	if (!mvmm_is_canonical(gva)) {
		*exception = (struct mvmm_exception){
			.vector = 13, .has_error = true };
		return -EFAULT;
	}
	for (shift = 39; ; shift -= 9) {
		at = table + (gva >> shift & 511) * 8;
		entry = mvmm_ram(guest, at, 8, MVMM_ACCESS_READ);
		/* A table outside memory: treat its entry as not present */
		pte = entry ? __atomic_load_n(entry, __ATOMIC_RELAXED) : 0;
		if (!(pte & PTE_P))
			return page_fault(s, gva, access, false, exception);
		rights &= pte;
		nx |= pte;
		if (shift == 12 || (pte & PTE_PS && shift < 39))
			break;
		if (!set_bits(guest, at, 8, pte, PTE_A))
			return -EAGAIN;
		table = pte & PTE_ADDR;
	}
	if (is_locked(s, rights, pte, access) ||
	    !allowed(guest, s, rights, s->efer & EFER_NX ? nx & PTE_NX : 0, access)) {
		page_fault(s, gva, access, true, exception);
		if (is_locked(s, rights, pte, access))
			exception->error_code |= PF_PK;
		return -EFAULT;
	}
	if (!set_bits(guest, at, 8, pte,
		      access & MVMM_ACCESS_WRITE ? PTE_A | PTE_D : PTE_A))
		return -EAGAIN;
	mask = (1ull << shift) - 1;
	*gpa = (pte & PTE_ADDR & ~mask) | (gva & mask);
	return 0;
}

/* The entry of the level above the tables of PAE paging */
static uint64_t find_pdpte(struct mvmm_guest *guest,
			   const struct mvmm_paging *s, uint64_t gva)
{
	unsigned int i = gva >> 30 & 3;
	const void *entry;
	uint64_t pdpte;

	if (s->pdpte[0] | s->pdpte[1] | s->pdpte[2] | s->pdpte[3])
		return s->pdpte[i];
	/* SVM keeps no PDPTEs: the CPU has read this one from memory */
	entry = mvmm_ram(guest, (s->cr3 & 0xffffffe0) + i * 8, 8,
			 MVMM_ACCESS_READ);
	if (!entry)
		return 0;
	memcpy(&pdpte, entry, 8);
	return pdpte;
}

/* Not inlined: the registers that it saves would slow down 64-bit paging */
static __attribute__((noinline)) int
translate32(struct mvmm_guest *guest, const struct mvmm_paging *s, uint64_t gva,
	    uint32_t access, uint64_t *gpa, struct mvmm_exception *exception)
{
	bool pae = s->cr4 & CR4_PAE;
	int index_bits = pae ? 9 : 10, entry_size = pae ? 8 : 4;
	uint64_t table = s->cr3 & 0xfffff000, rights = PTE_W | PTE_U, nx = 0;
	int shift;

	gva = (uint32_t)gva;
	if (!(s->cr0 & CR0_PG)) {
		*gpa = gva;
		return 0;
	}
	if (pae) {
		uint64_t pdpte = find_pdpte(guest, s, gva);

		if (!(pdpte & PTE_P))
			return page_fault(s, gva, access, false, exception);
		table = pdpte & PTE_ADDR;
	}
	for (shift = 12 + index_bits; ; shift = 12) {
		uint64_t mask = (1ull << shift) - 1, pte = 0, bits = PTE_A;
		uint64_t index = (gva >> shift) & ((1u << index_bits) - 1);
		uint64_t at = table + index * entry_size;
		const void *entry = mvmm_ram(guest, at, entry_size,
					     MVMM_ACCESS_READ);
		bool leaf;

		if (entry && pae)
			pte = __atomic_load_n((uint64_t *)entry,
					      __ATOMIC_RELAXED);
		else if (entry)
			pte = __atomic_load_n((uint32_t *)entry,
					      __ATOMIC_RELAXED);
		if (!(pte & PTE_P))
			return page_fault(s, gva, access, false, exception);
		rights &= pte;
		if (s->efer & EFER_NX && pae)
			nx |= pte & PTE_NX;
		leaf = shift == 12 ||
		       (pte & PTE_PS && (pae || s->cr4 & CR4_PSE));
		if (leaf && !allowed(guest, s, rights, nx, access))
			return page_fault(s, gva, access, true, exception);
		if (leaf && access & MVMM_ACCESS_WRITE)
			bits |= PTE_D;
		if (!set_bits(guest, at, entry_size, pte, bits))
			return -EAGAIN;
		if (leaf) {
			uint64_t base = pte & PTE_ADDR & ~mask;

			/* PSE-36: bits 39:32 are in 20:13 (table 4-4) */
			if (!pae && shift > 12)
				base = (pte & 0xffc00000) |
				       ((pte >> 13) & 0xff) << 32;
			*gpa = base | (gva & mask);
			return 0;
		}
		table = pte & PTE_ADDR;
	}
}

int mvmm_translate(struct mvmm_guest *guest, const struct mvmm_paging *s,
		   uint64_t gva, uint32_t access, uint64_t *gpa,
		   struct mvmm_exception *exception)
{
	int ret;

	do {
		ret = s->efer & EFER_LMA ?
			translate64(guest, s, gva, access, gpa, exception) :
			translate32(guest, s, gva, access, gpa, exception);
	} while (ret == -EAGAIN);
	return ret;
}

int mvmm_find_span(struct mvmm_guest *guest, const struct mvmm_paging *s,
		   uint64_t gva, unsigned int size, uint32_t access,
		   struct mvmm_span *span, struct mvmm_exception *exception)
{
	unsigned int first = 4096 - (gva & 4095);
	int ret = mvmm_translate(guest, s, gva, access, &span->gpa[0],
				 exception);

	span->size[0] = size;
	span->size[1] = 0;
	if (ret || size <= first)
		return ret;
	span->size[0] = first;
	span->size[1] = size - first;
	return mvmm_translate(guest, s, gva + first, access, &span->gpa[1],
			      exception);
}

static void access_part(struct mvmm_guest *guest, uint64_t gpa, uint8_t *data,
			unsigned int len, bool write)
{
	void *ram = mvmm_ram(guest, gpa, len,
			     write ? MVMM_ACCESS_WRITE : MVMM_ACCESS_READ);
	unsigned int n;

	if (ram && write)
		memcpy(ram, data, len);
	else if (ram)
		memcpy(data, ram, len);
	for (; !ram && len; len -= n, data += n, gpa += n) {
		n = len < 8 ? len : 8;
		guest->mmio(guest->ctx, gpa, data, n, write);
	}
}

void mvmm_access_span(struct mvmm_guest *guest, const struct mvmm_span *span,
		      void *data, bool write)
{
	access_part(guest, span->gpa[0], data, span->size[0], write);
	if (span->size[1])
		access_part(guest, span->gpa[1], (uint8_t *)data + span->size[0],
			    span->size[1], write);
}

int mvmm_access(struct mvmm_guest *guest, const struct mvmm_paging *s,
		uint64_t gva, void *data, unsigned int size, bool write,
		struct mvmm_exception *exception)
{
	uint32_t access = write ? MVMM_ACCESS_WRITE : MVMM_ACCESS_READ;
	struct mvmm_span span;
	/* Both pages are translated before any part is read or written */
	int ret = mvmm_find_span(guest, s, gva, size, access, &span, exception);

	if (!ret)
		mvmm_access_span(guest, &span, data, write);
	return ret;
}
