// SPDX-License-Identifier: GPL-2.0
/*
 * The nested page-table walker: map, look up, split, zap, age.
 * The caller holds the lock that guards the table, and flushes the TLB where
 * a function says that it must. Filling the table is memory.c's business.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/vmstat.h>
#include <asm/io.h>
#include "pgtable.h"

static u64 *alloc_table(void)
{
	return (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

/* In use, or not any more: the host counts secondary page tables */
static void count_table(struct pgt *pgt, u64 *table, int n)
{
	pgt->nr_tables += n;
	mod_lruvec_page_state(virt_to_page(table), NR_SECONDARY_PAGETABLE, n);
}

static u64 *pte_table(u64 pte)
{
	return phys_to_virt(pte & PGT_ADDR_MASK);
}

static int index_at(u64 gpa, int level)
{
	return (gpa >> (12 + 9 * (level - 1))) & 511;
}

static bool is_leaf(const struct pgt *pgt, u64 pte, int level)
{
	return level == 1 || (pte & pgt->fmt->large);
}

/**
 * pgt_init() - make an empty table
 * @pgt: to be filled in
 * @fmt: the entries' format; must outlive @pgt
 *
 * Context: may sleep. Return: 0 or -ENOMEM.
 */
int pgt_init(struct pgt *pgt, const struct pgt_format *fmt)
{
	pgt->fmt = fmt;
	pgt->nr_tables = 0;
	pgt->root = alloc_table();
	if (!pgt->root)
		return -ENOMEM;
	count_table(pgt, pgt->root, 1);
	return 0;
}

/**
 * pgt_destroy() - free the root; everything below it must be zapped
 * @pgt: the table, never again used by a CPU
 */
void pgt_destroy(struct pgt *pgt)
{
	WARN_ON_ONCE(pgt->nr_tables != 1);
	count_table(pgt, pgt->root, -1);
	free_page((unsigned long)pgt->root);
	pgt->root = NULL;
}

/**
 * pgt_cache_fill() - set aside the tables that one pgt_map() can need
 * @cache: topped up
 * @fmt: of the table
 *
 * Context: may sleep. Return: 0 or -ENOMEM; what was had stays in @cache.
 */
int pgt_cache_fill(struct pgt_cache *cache, const struct pgt_format *fmt)
{
	while (cache->nr < fmt->levels - 1) {
		u64 *table = alloc_table();

		if (!table)
			return -ENOMEM;
		cache->tables[cache->nr++] = table;
	}
	return 0;
}

/**
 * pgt_cache_drain() - free what pgt_cache_fill() set aside
 * @cache: left empty
 */
void pgt_cache_drain(struct pgt_cache *cache)
{
	while (cache->nr)
		free_page((unsigned long)cache->tables[--cache->nr]);
}

/**
 * pgt_find() - find the entry where the walk for an address ends
 * @pgt: the table
 * @gpa: guest-physical address
 * @level: out: the entry's level, from 1
 *
 * Return: the entry, a leaf or not present. One that is not present may be set
 * to a pgt_leaf() of its level as it is, and its neighbours in the table too.
 */
u64 *pgt_find(const struct pgt *pgt, u64 gpa, int *level)
{
	u64 *table = pgt->root;

	for (*level = pgt->fmt->levels; ; (*level)--) {
		u64 *entry = &table[index_at(gpa, *level)];

		if (!pgt_pte_present(pgt, *entry) ||
		    is_leaf(pgt, *entry, *level))
			return entry;
		table = pte_table(*entry);
	}
}

/**
 * pgt_lookup() - find the leaf that maps an address
 * @pgt: the table
 * @gpa: guest-physical address
 * @level: out: the level at which the walk ended, from 1
 *
 * Return: the leaf, or 0 if @gpa is not mapped.
 */
u64 pgt_lookup(const struct pgt *pgt, u64 gpa, int *level)
{
	u64 pte = *pgt_find(pgt, gpa, level);

	return pgt_pte_present(pgt, pte) ? pte : 0;
}

static void split_entry(struct pgt *pgt, u64 *ptep, int level,
			struct pgt_cache *cache)
{
	u64 *table = cache->tables[--cache->nr];
	u64 pte = *ptep;
	int i;

	if (level == 2)
		pte &= ~pgt->fmt->large;
	for (i = 0; i < 512; i++)
		table[i] = pte + i * pgt_level_size(level - 1);
	WRITE_ONCE(*ptep, virt_to_phys(table) | pgt->fmt->table);
	count_table(pgt, table, 1);
}

/* The entry for @gpa at @level, with tables made and leaves split on the way */
static u64 *walk_to(struct pgt *pgt, u64 gpa, int level,
		    struct pgt_cache *cache)
{
	u64 *ptep = &pgt->root[index_at(gpa, pgt->fmt->levels)];
	int l;

	for (l = pgt->fmt->levels; l > level; l--) {
		if (!pgt_pte_present(pgt, *ptep)) {
			u64 *table;

			if (!cache->nr)
				return NULL;
			table = cache->tables[--cache->nr];
			WRITE_ONCE(*ptep,
				   virt_to_phys(table) | pgt->fmt->table);
			count_table(pgt, table, 1);
		} else if (is_leaf(pgt, *ptep, l)) {
			if (!cache->nr)
				return NULL;
			split_entry(pgt, ptep, l, cache);
		}
		ptep = &pte_table(*ptep)[index_at(gpa, l - 1)];
	}
	return ptep;
}

/** pgt_leaf() - the entry that maps @pa by a leaf at @level */
u64 pgt_leaf(const struct pgt_format *fmt, u64 pa, int level,
	     enum pgt_prot prot)
{
	return pa | fmt->leaf | (prot & PGT_WRITE ? fmt->write : 0) |
	       (level > 1 ? fmt->large : 0);
}

/**
 * pgt_map() - map one leaf
 * @pgt: the table
 * @gpa: guest-physical address, aligned to the leaf
 * @pa: host-physical address, aligned to the leaf
 * @level: 1: 4 KiB, 2: 2 MiB, 3: 1 GiB
 * @prot: PGT_READ, or with PGT_WRITE; execution is always allowed
 * @cache: tables to build with
 *
 * A larger leaf in the way is split; the pieces map what it mapped, so no
 * flush is needed for them. A leaf at @level is replaced: the caller flushes
 * if that was present with another address or more rights.
 *
 * Return: 0; -EINVAL: misaligned, bad level; -EEXIST: a table stands where the
 * leaf would go (zap the range first); -ENOMEM: @cache ran dry.
 */
int pgt_map(struct pgt *pgt, u64 gpa, u64 pa, int level, enum pgt_prot prot,
	    struct pgt_cache *cache)
{
	u64 *ptep;

	if (level < 1 || level > 3 || ((gpa | pa) & (pgt_level_size(level) - 1)))
		return -EINVAL;
	ptep = walk_to(pgt, gpa, level, cache);
	if (!ptep)
		return -ENOMEM;
	if (pgt_pte_present(pgt, *ptep) && !is_leaf(pgt, *ptep, level))
		return -EEXIST;
	WRITE_ONCE(*ptep, pgt_leaf(pgt->fmt, pa, level, prot));
	return 0;
}

/**
 * pgt_split() - break the large leaf over an address into the next smaller
 * @pgt: the table
 * @gpa: an address in the leaf
 * @cache: one table is taken from here
 *
 * Return: 0, also where @gpa is mapped by a 4 KiB leaf or not at all;
 * -ENOMEM: @cache is empty.
 */
int pgt_split(struct pgt *pgt, u64 gpa, struct pgt_cache *cache)
{
	int level;

	if (!pgt_lookup(pgt, gpa, &level) || level == 1)
		return 0;
	return walk_to(pgt, gpa, level - 1, cache) ? 0 : -ENOMEM;
}

static unsigned long zap_table(struct pgt *pgt, u64 *table, int level, u64 base,
			       u64 start, u64 end, pgt_leaf_fn fn, void *ctx,
			       struct list_head *freed)
{
	u64 size = pgt_level_size(level);
	int i = start > base ? (start - base) / size : 0;
	unsigned long zapped = 0;

	for (; i < 512 && base + i * size < end; i++) {
		u64 at = base + i * size, pte = table[i];

		if (!pgt_pte_present(pgt, pte))
			continue;
		if (is_leaf(pgt, pte, level)) {
			/* The CPU may set the D bit until the entry is gone */
			pte = xchg(&table[i], 0);
			fn(ctx, at, pte, level);
			zapped++;
			continue;
		}
		zapped += zap_table(pgt, pte_table(pte), level - 1, at, start,
				    end, fn, ctx, freed);
		if (start <= at && at + size <= end) {
			WRITE_ONCE(table[i], 0);
			list_add(&virt_to_page(pte_table(pte))->lru, freed);
			count_table(pgt, pte_table(pte), -1);
			/* Even without leaves, a CPU may have cached the table */
			zapped++;
		}
	}
	return zapped;
}

/**
 * pgt_zap() - take out every leaf that touches a range
 * @pgt: the table
 * @start: first guest-physical address
 * @end: one past the last; a large leaf that reaches out of the range goes too
 * @fn: called with each leaf that goes
 * @ctx: for @fn
 * @freed: tables that lie wholly in the range are put here
 *
 * The caller flushes if this returns not 0, and only then gives @freed to
 * pgt_free_tables(). Context: @fn decides; the walk itself does not sleep.
 *
 * Return: how many entries went.
 */
unsigned long pgt_zap(struct pgt *pgt, u64 start, u64 end, pgt_leaf_fn fn,
		      void *ctx, struct list_head *freed)
{
	return zap_table(pgt, pgt->root, pgt->fmt->levels, 0, start, end, fn, ctx,
			 freed);
}

static bool age_table(struct pgt *pgt, u64 *table, int level, u64 base,
		      u64 start, u64 end, bool clear)
{
	u64 size = pgt_level_size(level), bit = pgt->fmt->accessed;
	int i = start > base ? (start - base) / size : 0;
	bool young = false;

	for (; i < 512 && base + i * size < end; i++) {
		u64 pte = table[i];

		if (!pgt_pte_present(pgt, pte))
			continue;
		if (!is_leaf(pgt, pte, level)) {
			young |= age_table(pgt, pte_table(pte), level - 1,
					   base + i * size, start, end, clear);
		} else if (pte & bit) {
			young = true;
			if (clear)
				clear_bit(__ffs(bit), (unsigned long *)&table[i]);
		}
	}
	return young;
}

/**
 * pgt_age() - was a range used since it was last asked?
 * @pgt: the table, of a format with accessed bits
 * @start: first guest-physical address
 * @end: one past the last
 * @clear: forget it; no flush is needed, a stale hint does no harm
 */
bool pgt_age(struct pgt *pgt, u64 start, u64 end, bool clear)
{
	return age_table(pgt, pgt->root, pgt->fmt->levels, 0, start, end, clear);
}

static unsigned long clean_table(struct pgt *pgt, u64 *table, int level,
				 u64 base, u64 start, u64 end, pgt_leaf_fn fn,
				 void *ctx)
{
	u64 size = pgt_level_size(level);
	u64 bit = pgt->fmt->dirty ?: pgt->fmt->write;
	int i = start > base ? (start - base) / size : 0;
	unsigned long cleaned = 0;

	for (; i < 512 && base + i * size < end; i++) {
		u64 at = base + i * size, pte = table[i];

		if (!pgt_pte_present(pgt, pte))
			continue;
		if (!is_leaf(pgt, pte, level)) {
			cleaned += clean_table(pgt, pte_table(pte), level - 1,
					       at, start, end, fn, ctx);
		} else if (pgt_pte_dirty(pgt, pte)) {
			clear_bit(__ffs(bit), (unsigned long *)&table[i]);
			fn(ctx, at, pte, level);
			cleaned++;
		}
	}
	return cleaned;
}

/**
 * pgt_clean() - find what was written to since it was last asked, and forget it
 * @pgt: the table
 * @start: first guest-physical address
 * @end: one past the last
 * @fn: called with each leaf that was written to
 * @ctx: for @fn
 *
 * Clears D bits, or the right to write where the CPU keeps none. The caller
 * flushes if this returns not 0. Return: how many leaves were dirty.
 */
unsigned long pgt_clean(struct pgt *pgt, u64 start, u64 end, pgt_leaf_fn fn,
			void *ctx)
{
	return clean_table(pgt, pgt->root, pgt->fmt->levels, 0, start, end, fn,
			   ctx);
}

/**
 * pgt_free_tables() - free what pgt_zap() unlinked, after the flush
 * @freed: left empty
 */
void pgt_free_tables(struct list_head *freed)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, freed, lru)
		__free_page(page);
	INIT_LIST_HEAD(freed);
}
